package simcluster

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/actors/account"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/xmpp"
	"github.com/jackdaw-im/jackdaw/xmpp/sasl"
)

// TestTwinAccounts: while the cluster is parted, both halves have each user's account, and one of them changes it. Once the cluster is one
// again, clients that were there all the time, and those that log in, know the roster that the store has, and passwords are what they became.
func TestTwinAccounts(t *testing.T) {
	for _, seed := range seedsOf(0) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			run(t, seed, options{users: *crowd, devices: true}, func(w *world) {
				w.begin(4)
				for i, u := range w.users { // has one in the other half, too
					w.connect(u, "other", w.living()[(i+2)%4])
				}
				w.until("everybody sees everybody", time.Minute, w.blind)
				changed := map[ident.UserID][]byte{}
				parted := w.between(100*time.Second, 150*time.Second)
				// Some make the last changes when the cluster is one again, and their nodes don't know yet.
				time.AfterFunc(w.between(parted-time.Second, parted+2*time.Second), func() { w.befriendStrangers("late", w.users[:len(w.users)/2]) })
				time.AfterFunc(w.between(20*time.Second, 35*time.Second), func() {
					w.befriendStrangers("early", w.users)
					for _, u := range w.users {
						changed[u] = w.newPassword(w.living()[w.draw(4)], u)
					}
				})
				w.part(2, parted)
				took := w.agree(2 * time.Minute)
				w.connect(w.users[0], "new", w.some())
				w.Logf("agreed after %v, and all know their rosters after another %v", took, w.until("all know their rosters", time.Minute, w.wrongRosters))
				w.wait(30 * time.Second)
				if wrong := w.wrongRosters(); wrong != "" {
					w.Errorf("later on, %s", wrong)
				}
				w.until("everybody sees everybody", time.Minute, w.blind)
				for u, key := range changed {
					if !bytes.Equal(key, w.storedKey(u)) {
						w.Errorf("%s's new password isn't stored", u)
					}
					for _, n := range w.living() {
						v, err := n.sys.Call(w.Context(), account.Ref(u), &nodepb.GetCredentials{})
						if err != nil {
							w.Fatal(err)
						}
						if got := v.(*nodepb.Credentials).GetSha256().GetStoredKey(); !bytes.Equal(got, key) {
							w.Errorf("%s wants %s to have the password of before", n.id, u)
						}
					}
				}
				w.empty()
			})
		})
	}
}

// befriendStrangers has users put somebody into the roster, with one of the clients.
func (w *world) befriendStrangers(name string, users []ident.UserID) {
	of := map[ident.UserID][]*device{}
	for _, d := range w.devices {
		of[d.user] = append(of[d.user], d)
	}
	for _, u := range users {
		d := of[u][w.draw(len(of[u]))]
		d.mu.Lock()
		if d.phase == online {
			w.net.Note("%s has a new contact", d.name)
			d.set(fmt.Sprintf("<query xmlns='jabber:iq:roster'><item jid='%s-%s@elsewhere.example'/></query>", name, u.Local()))
		}
		d.mu.Unlock()
	}
}

// newPassword gives a user another password, by way of a node, and returns what is stored of it.
func (w *world) newPassword(by *node, u ident.UserID) []byte {
	word := "new of " + string(u)
	sha1, sha256, err := sasl.NewCredentials(word)
	if err != nil {
		w.Error(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if code, err := account.SetPassword(ctx, by.sys, u, sha1, sha256); err != nil || code != nodepb.Code_OK {
		w.Errorf("%s: %v, %v", u, code, err)
	}
	w.mu.Lock()
	w.passwords[u] = word
	w.mu.Unlock()
	return sha256.GetStoredKey()
}

// passwordOf is a user's password now.
func (w *world) passwordOf(u ident.UserID) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if word, changed := w.passwords[u]; changed {
		return word
	}
	return password
}

func (w *world) storedKey(u ident.UserID) []byte {
	p, err := w.mem.Directory().Accounts().Account(w.Context(), u)
	if err != nil {
		w.Fatal(err)
	}
	return p.Account.SHA256.StoredKey
}

// wrongRosters says whose client knows another roster than the store has; "" if nobody's.
func (w *world) wrongRosters() string {
	var wrong []string
	for _, d := range w.devices {
		p, err := w.mem.Directory().Accounts().Account(w.Context(), d.user)
		if err != nil {
			w.Fatal(err)
		}
		var stored []string
		for _, item := range p.Roster.Items {
			if item.Visible() {
				stored = append(stored, string(item.Contact))
			}
		}
		d.mu.Lock()
		if known := slices.Sorted(maps.Keys(d.roster)); !slices.Equal(stored, known) {
			wrong = append(wrong, fmt.Sprintf("%s knows %v, and %v are stored", d.name, known, stored))
		}
		d.mu.Unlock()
	}
	return strings.Join(wrong, "\n")
}

// set asks the server to change something.
func (d *device) set(query string) {
	id := fmt.Sprintf("%s-%d", d.name, len(d.asks))
	d.asks[id] = awaited
	d.send(sent{text: fmt.Sprintf("<iq type='set' id='%s'>%s</iq>", id, query)})
}

// contacts takes a roster, or a push.
func (d *device) contacts(e *xmpp.Element) {
	q := e.Child("jabber:iq:roster", "query")
	if q == nil {
		return
	}
	if e.Attr("type") == "result" || d.roster == nil {
		d.roster = map[string]struct{}{}
	}
	for _, n := range q.Nodes {
		if n.Elem == nil {
			continue
		}
		if jid := n.Elem.Attr("jid"); n.Elem.Attr("subscription") == "remove" {
			delete(d.roster, jid)
		} else {
			d.roster[jid] = struct{}{}
		}
	}
}
