package talk

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/client"
	"github.com/jackdaw-im/jackdaw/xmpp"
)

// word is a message that is its own stanza.
type word string

// Stanza implements Message.
func (w *word) Stanza() []byte { return []byte(*w) }

// keeper is an owner that keeps what it is told.
type keeper struct {
	acked, arrived []string
	again          Message
	ended          chan string
}

// Sent implements Owner.
func (k *keeper) Sent(*Attempt) {}

// Acked implements Owner.
func (k *keeper) Acked(list []*Attempt) {
	for _, a := range list {
		k.acked = append(k.acked, string(a.Message.Stanza()))
	}
}

// Arrived implements Owner.
func (k *keeper) Arrived(e *xmpp.Element) { k.arrived = append(k.arrived, e.Attr("id")) }

// Refused implements Owner.
func (k *keeper) Refused(*xmpp.Element) Message { return k.again }

// Online implements Owner.
func (k *keeper) Online(bool, bool) {}

// Ended implements Owner.
func (k *keeper) Ended(addr string, err error) {
	if err != nil {
		k.ended <- addr
	}
}

// TestRefusedAttempts: the acknowledgement of an attempt that was refused says nothing of the message, which is sent again.
func TestRefusedAttempts(t *testing.T) {
	k := &keeper{}
	d := NewDevice(DeviceConfig{Owner: k})
	var sent []client.Sent
	words := []word{"one", "two", "three"}
	for i := range words {
		a := &Attempt{Message: &words[i]}
		d.mu.last[a.Message] = a
		sent = append(sent, client.Sent{Tag: a})
	}
	sent = append(sent, client.Sent{}) // no message
	waiting := func() (list []string) {
		for _, m := range d.mu.outbox {
			list = append(list, string(m.Stanza()))
		}
		return list
	}
	refusal := parsed(t, "<message xmlns='jabber:client' type='error' id='x'/>")
	d.stanza(nil, refusal) // nothing of ours
	k.again = &words[1]
	d.stanza(nil, refusal)
	d.stanza(nil, refusal) // it waits already
	if got := waiting(); !slices.Equal(got, []string{"two"}) {
		t.Errorf("%q wait", got)
	}
	d.acked(nil, sent[:2])
	if !slices.Equal(k.acked, []string{"one"}) {
		t.Errorf("acknowledged: %q", k.acked)
	}
	d.carry(sent[1:])
	if got := waiting(); !slices.Equal(got, []string{"three", "two"}) {
		t.Errorf("after a lost stream %q wait", got)
	}
	d.Say(&words[0])
	d.Tend()
	if got := waiting(); !slices.Equal(got, []string{"three", "two", "one"}) {
		t.Errorf("%q wait", got)
	}
	d.stanza(nil, parsed(t, "<message xmlns='jabber:client' id='a'/>"))
	d.stanza(nil, parsed(t, "<presence xmlns='jabber:client' id='b'/>"))
	if !slices.Equal(k.arrived, []string{"a"}) {
		t.Errorf("arrived: %q", k.arrived)
	}
	if _, ok := d.At(); ok {
		t.Error("it is nowhere")
	}
}

// TestTriesAllNodes: a device goes from one address to the next while none lets it in.
func TestTriesAllNodes(t *testing.T) {
	k := &keeper{ended: make(chan string)}
	d := NewDevice(DeviceConfig{Owner: k, Start: 4, Login: time.Second, Rest: time.Nanosecond, Spread: 1,
		Client: func() *client.Config { return &client.Config{JID: "no address"} }, Addrs: func() []string { return []string{"a", "b", "c"} }})
	ctx, end := context.WithCancel(t.Context())
	over := make(chan struct{})
	go func() {
		defer close(over)
		d.Live(ctx)
	}()
	for _, want := range []string{"b", "c", "a", "b"} {
		if got := <-k.ended; got != want {
			t.Errorf("tried %s, not %s", got, want)
		}
	}
	end()
	select {
	case <-k.ended: // one more was on its way
		<-over
	case <-over:
	}
}

func TestBodies(t *testing.T) {
	var got []*xmpp.Element
	for _, s := range []string{
		"message id='1'><body>a</body></message>", "message id='1'><body>a</body></message>", "message id='2' type='error'><body>b</body></message>",
		"message id='3'/>", "presence id='4'/>", "message id='5'><body>c</body></message>",
	} {
		name, rest, _ := strings.Cut(s, " ")
		got = append(got, parsed(t, "<"+name+" xmlns='jabber:client' "+rest))
	}
	if all := Bodies(got); !slices.Equal(all, []string{"a", "a", "c"}) {
		t.Errorf("%q", all)
	}
	if all := Bodies(once(got)); !slices.Equal(all, []string{"a", "c"}) {
		t.Errorf("%q the first time", all)
	}
	if _, err := Start(t.Context(), Config{Users: 1}); err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("one alone: %v", err)
	}
}
