package simcluster

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackdaw-im/jackdaw/store"
	"github.com/jackdaw-im/jackdaw/xmpp"
	"github.com/jackdaw-im/jackdaw/xmpp/sasl"
)

// sight is what a device was told last of another one's presence.
type sight struct {
	available bool
	status    int
}

// introduce gives every user a password, and all of them to each other as contacts.
func (w *world) introduce() {
	sha1, sha256, err := sasl.NewCredentials(password)
	if err != nil {
		w.Fatal(err)
	}
	dir := w.mem.Directory()
	for _, u := range w.users {
		p, err := dir.Accounts().Account(w.Context(), u)
		if err != nil {
			w.Fatal(err)
		}
		for _, c := range []struct {
			to   *store.Scram
			kept interface {
				GetSalt() []byte
				GetIterations() uint32
				GetStoredKey() []byte
				GetServerKey() []byte
			}
		}{{&p.Account.SHA1, sha1}, {&p.Account.SHA256, sha256}} {
			*c.to = store.Scram{Salt: c.kept.GetSalt(), Iterations: int(c.kept.GetIterations()), StoredKey: c.kept.GetStoredKey(), ServerKey: c.kept.GetServerKey()}
		}
		if _, err := dir.Accounts().Update(&p.Account); err != nil {
			w.Fatal(err)
		}
		rev := p.Roster.Rev
		for _, other := range w.users {
			if other == u {
				continue
			}
			if rev, err = dir.Rosters().SetItem(u, rev, store.RosterItem{Contact: other, Listed: true, Subscription: store.SubscriptionBoth}); err != nil {
				w.Fatal(err)
			}
		}
	}
}

// tell sends the next presence.
func (d *device) tell() {
	d.status++
	d.send(sent{text: fmt.Sprintf("<presence><status>%d</status></presence>", d.status)})
}

// presence takes another's, or its own.
func (d *device) presence(e *xmpp.Element) {
	from := e.Attr("from")
	n, _ := strconv.Atoi(e.Child(xmpp.NSClient, "status").Text())
	if !strings.Contains(from, "/") { // nobody is there
		for full := range d.sees {
			if strings.HasPrefix(full, from+"/") {
				delete(d.sees, full)
			}
		}
		return
	}
	s := sight{available: e.Attr("type") == "", status: n}
	if old := d.sees[from]; s.available && old.available && s.status < old.status {
		d.w.book.backward("%s sees %s go back from presence %d to %d", d.name, from, old.status, s.status)
	}
	d.sees[from] = s
}

// blind says whose presence some device doesn't see as it is; "" if nobody's.
func (w *world) blind() string {
	var wrong []string
	for _, d := range w.devices {
		d.mu.Lock()
		if d.phase != online {
			wrong = append(wrong, fmt.Sprintf("%s is not online", d.name))
		}
		sees := map[string]sight{}
		for from, s := range d.sees {
			sees[from] = s
		}
		d.mu.Unlock()
		for _, other := range w.devices {
			other.mu.Lock()
			is := sight{available: true, status: other.status}
			other.mu.Unlock()
			if s := sees[other.full]; s != is {
				wrong = append(wrong, fmt.Sprintf("%s sees %s as %v, and it is %v", d.name, other.name, s, is))
			}
		}
	}
	return strings.Join(wrong[:min(len(wrong), 5)], ", ")
}

// judgeDevices: everybody is there, and sees everybody as they are.
func (w *world) judgeDevices(f fault) {
	w.Helper()
	if !w.opts.devices {
		return
	}
	took := w.until("everybody sees everybody", time.Minute, w.blind)
	for range 60 {
		if len(w.unanswered()) == 0 {
			break
		}
		w.wait(time.Second)
	}
	open := w.unanswered()
	var bound, resumed, refused, asked int
	for _, d := range w.devices {
		d.mu.Lock()
		asked += len(d.asks)
		bound, resumed, refused = bound+d.bound, resumed+d.resumed, refused+d.refused
		d.mu.Unlock()
	}
	w.Logf("all see each other after %v; %d streams, %d times resumed, %d refused, presence went back %d times", took, bound, resumed, refused, len(w.book.backwards))
	twice, repeated := int(w.book.twice.Load()), w.book.repeated.Load()
	if f.within > 0 && !f.restless && len(open)+twice > 0 {
		w.Errorf("of %d requests %v have no answer and %d more than one, and nobody was lost", asked, open, twice)
	}
	w.Logf("%d requests, %d without an answer; %d messages came again that the server knew to be there", asked, len(open), repeated)
	if f.within > 0 && repeated > 0 {
		w.Errorf("%d messages came again, and nobody was lost who had been told that they were there", repeated)
	}
	for _, b := range w.book.backwards {
		if !w.book.isParted(b.at) {
			w.Errorf("%s: %s", b.at.Format("04:05.000"), b.what)
		}
	}
	if f.emptied && refused > 0 {
		w.Errorf("%d streams could not be resumed, and nobody was lost", refused)
	}
}

// unanswered are the requests that wait for their answers.
func (w *world) unanswered() (list []string) {
	for _, d := range w.devices {
		d.mu.Lock()
		for id, x := range d.asks {
			if x == awaited {
				list = append(list, id)
			}
		}
		d.mu.Unlock()
	}
	return list
}
