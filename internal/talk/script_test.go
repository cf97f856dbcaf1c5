package talk

import (
	"strings"
	"testing"

	"github.com/jackdaw-im/jackdaw/xmpp"
)

func TestScriptIsReadBack(t *testing.T) {
	s := Script{"r1"}
	for seq := 1; seq <= 20; seq++ {
		want := Key{Pair{3, 14}, seq * seq}
		e, err := xmpp.Parse(s.Stanza(want, "u14@localhost"))
		if err != nil {
			t.Fatal(err)
		}
		got, id, ok := s.Read(e)
		if !ok || got != want || id != s.ID(want) || e.Attr("id") != id || len(s.Body(want)) != bodyLen {
			t.Fatalf("read %v, %q, %v; want %v", got, id, ok, want)
		}
	}
	for _, bad := range []string{"", "r1/1/2", "r2/1/2/3", "r1/1/2/03", "r1/1/2/x", "r1/1/2/3/", " r1/1/2/3"} {
		if _, ok := s.Parse(bad); ok {
			t.Errorf("%q is read", bad)
		}
	}
	whole := s.Body(Key{Pair{1, 2}, 3})
	for _, bad := range []string{"", "<body/>", "<body>x</body>", "<body>r1/1/2/3/</body>", "<body>" + whole + ".</body>", "<body>" + whole[:len(whole)-1] + "</body>"} {
		e, err := xmpp.Parse([]byte("<message xmlns='jabber:client'>" + bad + "</message>"))
		if err != nil {
			t.Fatal(err)
		}
		if _, _, ok := s.Read(e); ok {
			t.Errorf("%s is read", bad)
		}
	}
	if one, other := NewScript(), NewScript(); one == other || !strings.HasPrefix(whole, "r1/1/2/3/") {
		t.Error("runs aren't told apart")
	}
}
