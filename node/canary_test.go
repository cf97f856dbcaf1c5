package node

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/sys"
	"github.com/jackdaw-im/jackdaw/admin"
	"github.com/jackdaw-im/jackdaw/client"
	"github.com/jackdaw-im/jackdaw/dump"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/xmpp"
)

// canary is in every word that users and their clients choose: passwords, resources, texts, ids, the names and addresses in
// rosters. The names of those who have an account are not among them, since actors are called by them. It is none of the
// source's own words: dumps hold the names of files and functions.
const canary = "zilpzalp"

// looker is who looks.
const looker = "the tests"

// cage is a node with users whose words have a canary in them.
type cage struct {
	*testing.T
	n    *Node
	logs *observer.ObservedLogs
	// secrets are further words that must not be seen: what is kept of passwords, what resumes a stream.
	secrets map[string]string
	sees    chan string
}

func newCage(t *testing.T) *cage {
	core, logs := observer.New(zap.DebugLevel)
	n, err := OpenOn(testConfig(t), zap.New(core), memory(t))
	if err == nil {
		err = n.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	stopAtEnd(t, n)
	return &cage{t, n, logs, map[string]string{}, make(chan string, 1000)}
}

// user makes an account.
func (c *cage) user(jid string) {
	c.Helper()
	u, err := admin.NewUser(ident.UserID(jid), canary+"-password")
	if err == nil {
		err = c.n.Users().Create(c.Context(), u)
	}
	if err != nil {
		c.Fatal(err)
	}
	p, err := c.n.engine.Directory().Accounts().Account(c.Context(), ident.UserID(jid))
	if err != nil {
		c.Fatal(err)
	}
	for what, secret := range map[string][]byte{"salt": p.Account.SHA256.Salt, "stored key": p.Account.SHA256.StoredKey, "server key": p.Account.SHA1.ServerKey} {
		c.secrets["the "+what+" of "+jid] = string(secret)
		c.secrets["the "+what+" of "+jid+" in base64"] = base64.StdEncoding.EncodeToString(secret)
		c.secrets["the "+what+" of "+jid+" in hex"] = hex.EncodeToString(secret)
	}
}

// login connects a user, with all that a client can say about itself.
func (c *cage) login(jid string) *client.Conn {
	c.Helper()
	cfg := &client.Config{Addr: c.n.Listening().C2STLS, JID: jid + "/" + canary + "-resource", Password: canary + "-password", Management: true,
		TLS: client.TLSConfig("localhost", nil), OnStanza: func(_ *client.Conn, e *xmpp.Element) {
			if e.Child("jabber:client", "body") != nil {
				select {
				case c.sees <- jid:
				default: // nobody counts any more
				}
			}
		}}
	cfg.TLS.InsecureSkipVerify = true // it is its own, made by the node
	conn, err := client.Dial(c.Context(), cfg)
	if err != nil {
		c.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = conn.Run() }()
	c.Cleanup(func() { conn.Cut(); <-ended })
	if r, ok := conn.Resumption(); ok {
		c.secrets["the resumption of "+jid] = strings.Split(r.ID, ".")[1]
	} else {
		c.Fatal("the stream can't be resumed")
	}
	for _, item := range []string{"friend@localhost", canary + "-contact@localhost", canary + "-other@example.org"} {
		c.ask(conn, `<iq type='set' id='zilpzalp-iq'><query xmlns='jabber:iq:roster'><item jid='`+item+`' name='zilpzalp-nickname'><group>zilpzalp-group</group></item></query></iq>`)
	}
	c.ask(conn, `<iq type='get' id='zilpzalp-get'><query xmlns='jabber:iq:roster'/></iq>`)
	c.ask(conn, `<presence id='zilpzalp-presence'><show>away</show><status>zilpzalp-status</status></presence>`)
	return conn
}

// ask sends a stanza.
func (c *cage) ask(conn *client.Conn, stanza string) {
	c.Helper()
	if err := conn.Send([]byte(stanza), canary); err != nil {
		c.Error(err)
	}
}

// say sends a message.
func (c *cage) say(conn *client.Conn, to string) {
	c.Helper()
	err := conn.SendMessage(&client.Message{To: to, Type: "chat", ID: canary + "-id", OriginID: canary + client.NewID(), Body: canary + "-body",
		Payload: []byte("<thread>zilpzalp-thread</thread><x xmlns='urn:zilpzalp'>zilpzalp-extension</x>")}, canary)
	if err != nil {
		c.Error(err)
	}
}

// clean reports what is shown of something that must not be.
func (c *cage) clean(what, text string) {
	c.Helper()
	if i := strings.Index(strings.ToLower(text), canary); i >= 0 {
		c.Errorf("%s shows a canary: %.200s", what, text[max(0, i-100):])
	}
	for name, secret := range c.secrets {
		if i := strings.Index(text, secret); i >= 0 {
			c.Errorf("%s shows %s: %.200s", what, name, text[max(0, i-100):])
		}
	}
}

// text is anything as it may be shown: as JSON, and as it is printed.
func text(v any) string {
	doc, err := json.Marshal(v)
	return fmt.Sprintf("%s %v %+v", doc, err, v)
}

// look runs everything that looks into an actor.
func (c *cage) look(ref actors.Ref) {
	c.Helper()
	gone := func(what string, err error) bool {
		switch {
		case errors.Is(err, actors.ErrNoProc), errors.Is(err, sys.ErrNoState): // it has ended meanwhile
			return true
		case err != nil:
			c.Errorf("%s of %v: %v", what, ref, err)
		}
		return err != nil
	}
	var report sys.Report
	for !report.OnTurn { // a busy machine may take more than a second to give an actor its turn
		var err error
		if report, err = sys.Status(c.Context(), c.n.sys, ref, looker); gone("the status", err) {
			return
		}
	}
	report.Ref = actors.Ref{}
	c.clean(fmt.Sprint("the status of ", ref), text(report))
	doc, err := sys.GetState(c.Context(), c.n.sys, ref, looker)
	if gone("the state", err) {
		return
	}
	c.clean(fmt.Sprint("the state of ", ref), string(doc))
	// Also what a behaviour without FormatStatus would show.
	var shape any
	size := 0
	if gone("the shape", sys.ReadState(c.Context(), c.n.sys, ref, looker, func(b actors.Behaviour) { shape, size = sys.Describe(b), sys.SizeOf(b) })) {
		return
	}
	c.clean(fmt.Sprint("the shape of ", ref), text(shape))
	if size <= 0 || size > 4<<20 {
		c.Errorf("%v has %d bytes", ref, size)
	}
}

// lookAtAll looks into every live actor, and at the system as a whole.
func (c *cage) lookAtAll() (refs []actors.Ref) {
	c.Helper()
	c.n.sys.Each(func(ref actors.Ref) bool { refs = append(refs, ref); return true })
	for _, ref := range refs {
		c.look(ref)
		if f, err := c.n.sys.Facts(ref); err == nil {
			c.clean(fmt.Sprint("what is seen of ", ref, " from outside"), text(f))
		}
	}
	c.clean("what was handled lately", text(c.n.sys.Recent()))
	c.clean("the busiest", text(c.n.sys.Busiest()))
	c.clean("the snapshot", text(c.n.sys.Snapshot()))
	tree, err := c.n.Tree(c.Context())
	if err != nil {
		c.Error(err)
	}
	c.clean("the tree", text(tree))
	return refs
}

// trace follows the next messages of actors until stop is called.
func (c *cage) trace(refs []actors.Ref) (stop func()) {
	ctx, cancel := context.WithCancel(c.Context())
	var wg sync.WaitGroup
	for _, ref := range refs {
		wg.Go(func() {
			_ = sys.Trace(ctx, c.n.sys, ref, looker, sys.MaxTrace, func(e actors.TraceEvent) error {
				c.clean(fmt.Sprint("a trace of ", ref), text(e))
				for _, sent := range e.Sent {
					if ref.ID != sent.To.ID && strings.Contains(sent.To.ID, "@") {
						c.Errorf("a trace of %v shows %v", ref, sent.To)
					}
				}
				return nil
			})
		})
	}
	return func() { cancel(); wg.Wait() }
}

// What operators see of a running server shows nothing that users wrote, nor what opens their accounts and streams; also while
// there is traffic, when the race detector tells whether looking is safe.
func TestNothingOfUsersIsShown(t *testing.T) {
	c := newCage(t)
	for _, jid := range []string{"juliet@localhost", "romeo@localhost", "friend@localhost"} {
		c.user(jid)
	}
	juliet, romeo := c.login("juliet@localhost"), c.login("romeo@localhost")
	c.ask(juliet, `<presence to='romeo@localhost' type='subscribe'><status>zilpzalp-please</status></presence>`)
	c.ask(juliet, `<presence to='romeo@localhost/zilpzalp-resource'><status>zilpzalp-directed</status></presence>`)
	c.ask(romeo, `<iq to='juliet@localhost/zilpzalp-resource' type='get' id='zilpzalp-ping'><ping xmlns='urn:xmpp:ping'/></iq>`)
	for range 5 {
		c.say(juliet, "friend@localhost") // who is not there
		c.say(romeo, "juliet@localhost")
		c.say(juliet, "echo@localhost")
	}
	for range 5 + 5 {
		<-c.sees
	}
	stop := c.trace(c.lookAtAll())
	var traffic sync.WaitGroup
	over := make(chan struct{})
	traffic.Go(func() {
		for {
			for _, to := range []string{"juliet@localhost", "romeo@localhost/zilpzalp-resource", "friend@localhost"} {
				c.say(romeo, to)
				c.ask(juliet, `<presence><status>zilpzalp-`+to+`</status></presence>`)
			}
			c.say(juliet, "echo@localhost")
			for range 3 {
				select {
				case <-over:
					return
				case <-c.sees:
				}
			}
		}
	})
	for range 3 {
		c.lookAtAll()
	}
	close(over)
	traffic.Wait()

	// Messages that wait: their kinds are seen.
	mailbox := actors.Ref{Kind: "mailbox", ID: "friend@localhost"}
	if err := sys.Suspend(t.Context(), c.n.sys, mailbox, looker); err != nil {
		t.Fatal(err)
	}
	c.say(romeo, "friend@localhost")
	for {
		report, err := sys.Status(t.Context(), c.n.sys, mailbox, looker)
		if err != nil {
			t.Fatal(err)
		}
		if report.Waiting["*nodepb.Deliver"] > 0 {
			break
		}
	}
	c.lookAtAll()
	c.dump()
	if err := sys.Resume(t.Context(), c.n.sys, mailbox, looker); err != nil {
		t.Fatal(err)
	}
	stop()
	for _, e := range c.logs.All() {
		c.clean("the log", fmt.Sprint(e.Message, e.ContextMap()))
	}
}

// dump writes a crash dump, and has it viewed.
func (c *cage) dump() {
	c.Helper()
	var b, view bytes.Buffer
	if err := c.n.Dumps().Send(c.Context(), &b, dump.Request); err != nil {
		c.Fatal(err)
	}
	c.clean("the dump", b.String())
	for _, want := range []string{"mail-0", "*nodepb.", "goroutine "} {
		if !strings.Contains(b.String(), want) {
			c.Errorf("the dump lacks %q", want)
		}
	}
	if err := dump.View(&view, bytes.NewReader(b.Bytes()), dump.Options{}); err != nil {
		c.Error(err)
	}
	c.clean("the dump as it is viewed", view.String())
}
