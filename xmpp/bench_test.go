package xmpp_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/jackdaw-im/jackdaw/proto/chatpb"
	"github.com/jackdaw-im/jackdaw/xmpp"
)

// typical is a message of 322 bytes as today's clients send it.
const typical = "<message xml:lang='en' to='juliet@capulet.example/balcony' type='chat' id='b4e5b2f0-7d1c-4'>" +
	"<body>My ears have not yet drunk a hundred words &amp; more</body>" +
	"<active xmlns='http://jabber.org/protocol/chatstates'/><request xmlns='urn:xmpp:receipts'/>" +
	"<origin-id xmlns='urn:xmpp:sid:0' id='b4e5b2f0-7d1c-49ab-9c3'/></message>"

func BenchmarkMessage(b *testing.B) {
	if len(typical) != 322 {
		b.Fatalf("the message has %d bytes", len(typical))
	}
	stream := []byte(header + typical)
	raw := []byte(typical)
	b.Run("framer", func(b *testing.B) {
		b.ReportAllocs()
		f := opened(b, len(stream))
		for b.Loop() {
			if item, n, err := f.Next(raw); item.Kind != xmpp.StanzaItem || n != len(raw) || err != nil {
				b.Fatal(item, n, err)
			}
		}
	})
	b.Run("parser", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := xmpp.Parse(raw); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("both", func(b *testing.B) {
		b.ReportAllocs()
		f := opened(b, len(stream))
		for b.Loop() {
			item, _, err := f.Next(raw)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := xmpp.Parse(item.Raw); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encoding-xml", func(b *testing.B) { // the baseline: tokens only, no tree, no limits
		b.ReportAllocs()
		for b.Loop() {
			d := xml.NewDecoder(bytes.NewReader(raw))
			for {
				if _, err := d.Token(); errors.Is(err, io.EOF) {
					break
				} else if err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}

// BenchmarkAck is the smallest stanza, of which there is one for every message or two.
func BenchmarkAck(b *testing.B) {
	raw := []byte("<a xmlns='urn:xmpp:sm:3' h='17'/>")
	b.ReportAllocs()
	f := opened(b, 0)
	for b.Loop() {
		item, _, err := f.Next(raw)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := xmpp.Parse(item.Raw); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendXML(b *testing.B) {
	e, err := xmpp.Parse([]byte(typical))
	if err != nil {
		b.Fatal(err)
	}
	buf := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		buf = e.AppendXML(buf[:0], xmpp.NSClient)
	}
}

func BenchmarkAppendMessage(b *testing.B) {
	m := &chatpb.Message{From: "romeo@montague.example/orchard", To: "juliet@capulet.example", Type: chatpb.MessageType_CHAT, Id: "b4e5b2f0",
		Payload: []byte("<body>" + strings.Repeat("word ", 20) + "</body>"), SentUs: 1}
	buf := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		buf = xmpp.AppendMessage(buf[:0], m, xmpp.Delay{By: "montague.example"})
	}
}

func BenchmarkParseJID(b *testing.B) {
	for name, s := range map[string]string{"ascii": "juliet@capulet.example/balcony", "case": "Juliet@Capulet.Example/balcony", "unicode": "jülïet@capulét.example/bälcony"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := xmpp.ParseJID(s); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
