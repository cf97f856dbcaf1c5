package dump

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/internal/golden"
)

// sample is a whole dump that is the same each time: the fake system's sections, and invented ones of the process.
func sample(t *testing.T) []byte {
	t.Helper()
	f := healthy()
	f.silent[ref("supervisor", "jackdaw.lanes")] = true
	f.silent[ref("mailbox", "romeo@localhost")] = true
	var text []byte
	for _, p := range collected(t, t.Context(), f) {
		p.made.Took = Duration(time.Millisecond)
		switch p.name {
		case sectionMemory:
			text = appendSection(text, p.name, p.made, Usage{RSS: 300 << 20, Go: 200 << 20, Heap: 150 << 20, Live: 100 << 20, Stack: 3 << 19, Limit: 1 << 30, GroupLimit: 1 << 30, Machine: 16 << 30})
		case sectionRuntime:
			text = appendSection(text, p.name, p.made, []Sample{{Name: "/gc/cycles/total:gc-cycles", Value: 12}, {Name: "/nothing", Value: 0},
				{Name: "/sched/pauses/total/gc:seconds", Value: 24, P50: 1e-5, P99: 2e-4, Max: 3.5e-4}})
		case sectionGoroutines:
			text = appendSection(text, p.name, p.made, profile)
		case sectionDescriptors:
			text = appendSection(text, p.name, p.made, Descriptors{Open: 12, Limit: 1024, Kinds: map[string]int{"socket": 8, "file": 4}})
		default:
			text = p.appendTo(text)
		}
	}
	return text
}

// profile is in the form of runtime/pprof's debug=1.
const profile = `goroutine profile: total 7
5 @ 0x1 0x2 0x3
#	0x1	internal/poll.runtime_pollWait+0x84	/usr/lib/go/src/runtime/netpoll.go:351
#	0x2	net.(*conn).Read+0x44	/usr/lib/go/src/net/net.go:196
#	0x3	github.com/jackdaw-im/jackdaw/gateway.(*stream).run+0x123	/src/jackdaw/gateway/stream.go:70
#	0x4	a.b+0x1	/src/a.go:1
#	0x5	a.c+0x1	/src/a.go:2

2 @ 0x7 0x8
# labels: {"a":"b"}
#	0x7	runtime.gopark+0x1	/usr/lib/go/src/runtime/proc.go:1
#	0x8	github.com/jackdaw-im/jackdaw/actors.(*worker).run+0x123	/src/jackdaw/actors/pool.go:180

`

func viewed(t *testing.T, text []byte, o Options) string {
	t.Helper()
	var b bytes.Buffer
	if err := View(&b, bytes.NewReader(text), o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestView(t *testing.T) {
	text := sample(t)
	golden.File(t, "testdata/dump.txt", viewed(t, text, Options{}))
	golden.File(t, "testdata/all.txt", viewed(t, text, Options{All: true, Sections: []string{"goroutines", "tree", "config", "metrics", "runtime"}}))
	short := viewed(t, text, Options{Sections: []string{"descriptors"}})
	if !strings.HasSuffix(short, "\n== open descriptors\n  12 of 1024: 8 socket, 4 file\n") || strings.Count(short, "==") != 1 {
		t.Errorf("one section:\n%s", short)
	}
	if err := View(&bytes.Buffer{}, bytes.NewReader(text), Options{Sections: []string{"trees"}}); err == nil || !strings.Contains(err.Error(), `"trees": there are memory, kinds`) {
		t.Errorf("a section that doesn't exist: %v", err)
	}
}

// TestCutOff: a dump is shown as far as it goes, wherever it is cut.
func TestCutOff(t *testing.T) {
	text := sample(t)
	for i := 0; i < len(text); i += 3 {
		var b bytes.Buffer
		err := View(&b, bytes.NewReader(text[:i]), Options{})
		if i < len("=dump ") && !errors.Is(err, ErrFormat) || i >= len(text)/2 && (err != nil || !strings.Contains(b.String(), "cut off")) && i < len(text)-len(`={"took":"1ms"}.....`) {
			t.Fatalf("cut at %d: %v\n%s", i, err, b.String())
		}
	}
	at := bytes.Index(text, []byte(`"id": "mail-0"`))
	if at < 0 {
		at = bytes.Index(text, []byte(`"id": "lanes"`))
	}
	got := viewed(t, text[:at], Options{})
	for _, want := range []string{"It is cut off in or after its section tree", "== actors by kind", "== supervision tree\n(cut off or damaged; as it stands in the file:)\n{\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q isn't in\n%s", want, got)
		}
	}
}

func TestNoDump(t *testing.T) {
	for _, text := range []string{"", "hello\n", "=tree {}\n{}\n", "=dum"} {
		if err := View(&bytes.Buffer{}, strings.NewReader(text), Options{}); !errors.Is(err, ErrFormat) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestNewer: what a later version has added is passed over.
func TestNewer(t *testing.T) {
	text := appendSection(nil, sectionHead, made{}, Head{Version: Version + 1, Reason: "whim", About: about()})
	text = appendSection(text, "weather", made{}, "fine")
	text = appendSection(text, sectionDescriptors, made{}, map[string]any{"open": 3, "closed": 4})
	got := viewed(t, appendSection(text, sectionEnd, made{}, nil), Options{})
	for _, want := range []string{"Jackdaw dump: whim", "newer than this program", "  3: \n"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q isn't in\n%s", want, got)
		}
	}
	if strings.Contains(got, "fine") || strings.Contains(got, "cut off") {
		t.Error(got)
	}
}

// TestErrorsAreTold: a section that could not be collected says so.
func TestErrorsAreTold(t *testing.T) {
	text := appendSection(nil, sectionHead, made{}, Head{Version: Version})
	text = appendSection(text, sectionTree, made{Error: "dump: tree: no answer"}, nil)
	text = appendSection(text, sectionKinds, made{Error: "x"}, (*Kinds)(nil))
	text = appendSection(text, sectionMetrics, made{}, func() {}) // no JSON
	got := viewed(t, appendSection(text, sectionEnd, made{}, nil), Options{})
	for _, want := range []string{"== supervision tree (not complete: dump: tree: no answer)\n", "== actors by kind (not complete: x)\n", "unsupported type"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q isn't in\n%s", want, got)
		}
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error)  { return 0, errors.New("broken") }
func (broken) Write([]byte) (int, error) { return 0, errors.New("broken") }

func TestViewFails(t *testing.T) {
	if err := View(&bytes.Buffer{}, broken{}, Options{}); err == nil || errors.Is(err, ErrFormat) {
		t.Errorf("a broken file: %v", err)
	}
	if err := View(broken{}, bytes.NewReader(sample(t)), Options{}); err == nil {
		t.Error("a broken terminal is no error")
	}
}

func FuzzView(f *testing.F) {
	f.Add([]byte("=dump {}\n{}\n=tree {}\n{\"children\":[{}]}\n=actors {}\n{}\n=goroutines {}\n" + profile + "=states {}\n[{\"state\":1}]\n=end {}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		var b bytes.Buffer
		if err := View(&b, bytes.NewReader(text), Options{}); err == nil && !strings.HasPrefix(b.String(), "Jackdaw dump: ") {
			t.Errorf("%q", b.String())
		}
	})
}
