//go:build linux

package interop

import (
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"
)

// feature is one thing that a client may be able to do.
type feature int

const (
	starttls feature = iota
	directTLS
	refusesStranger
	sends
	receives
	offlineInOrder
	asksReceipt
	answersReceipt
	resumes
	resumesElsewhere
	followsDrain
	outlivesNode
	features // how many there are
)

// titles are the features' columns.
var titles = [features]string{"STARTTLS", "direct TLS", "refuses a strange CA", "sends", "receives", "offline, in order",
	"asks for receipts", "answers receipts", "resumes", "resumes on another node", "follows see-other-host", "outlives its node"}

// kind is one kind of client: how it is started, and what it can't do.
type kind struct {
	name string
	// version is a command that prints the installed version.
	version []string
	start   func(testing.TB, login) *session
	// lacks says why the client can't do something. Everything else is tested.
	lacks map[feature]string
	// forgets says why the client may lose what it sent just before its socket was cut, although it resumes its stream; and survives,
	// how many resumptions go well nevertheless.
	forgets  string
	survives int
	// hasty says that the client leaves without the end of its stream, and its log doesn't hold what it sends.
	hasty bool
	// switchable says that stream management can be switched off, and the client is tested without it, too.
	switchable bool
	// remark is what a reader of the table should know.
	remark string
}

func debian(name string) []string { return []string{"dpkg-query", "-W", "-f", "${Version}", name} }

// kinds is the table: every client, and what each can do. The reasons were found by trying.
var kinds = []*kind{
	{
		name: "slixmpp", version: debian("python3-slixmpp"), start: startSlixmpp, switchable: true,
		remark: "it forgets what it has not sent, or was not acknowledged, when its socket is cut, and the host that it was sent to " +
			"(1.8.3): the driver remembers",
	},
	{
		name: "go-sendxmpp", version: debian("go-sendxmpp"), start: startGoSendxmpp, hasty: true,
		lacks: map[feature]string{
			asksReceipt:      "it doesn't know receipts",
			answersReceipt:   "it shows the message and doesn't answer the request",
			resumes:          "it ignores the offer of stream management; after its socket is cut, it repeats the error for ever",
			resumesElsewhere: "it doesn't resume",
		},
		remark: "it crashes after it has answered a ping (0.5.6), without showing what came just before",
	},
	{
		name: "sendxmpp", version: debian("sendxmpp"), start: startSendxmpp,
		lacks: map[feature]string{
			receives:         "it only sends: it never becomes available",
			offlineInOrder:   "it only sends",
			asksReceipt:      "it doesn't know receipts",
			answersReceipt:   "it only sends",
			resumes:          "it ignores the offer of stream management, and doesn't notice that its socket was cut",
			resumesElsewhere: "it doesn't resume",
		},
	},
	{
		name: "@xmpp/client", start: startXMPPjs,
		version: []string{"node", "-p", "require('./clients/xmppjs/node_modules/@xmpp/client/package.json').version"},
		remark:  "receipts are made by the driver, as the library leaves them to applications",
	},
	{
		name: "libstrophe", version: debian("libstrophe-dev"), start: startStrophe, switchable: true,
		forgets: "it doesn't count what it sends again (0.12.2), and at the next resumption drops as many stanzas", survives: 1,
		remark: "receipts and answers to requests are made by the driver, as the library leaves them to applications; it doesn't count " +
			"what it sends before <enabled/> (0.12.2), so the driver sends nothing before",
	},
	{
		name: "profanity", version: debian("profanity-light"), start: startProfanity,
		forgets: "libstrophe 0.12.2 doesn't count what is sent before <enabled/>, which profanity does, and drops as many stanzas",
	},
	{
		name: "jackdaw/client", start: startGoClient, switchable: true,
		remark: "this module's own; the peer of the others",
	},
}

// results are what the tests found.
var results struct {
	sync.Mutex
	of map[string]map[feature]bool // by client; true if all tests of the feature passed
}

// feature runs a test of one or more features of one client, unless it lacks the first, and records how it went.
func (k *kind) test(t *testing.T, name string, test func(*testing.T), tested ...feature) {
	t.Helper()
	if reason, lacks := k.lacks[tested[0]]; lacks {
		t.Logf("%s: no %s: %s", k.name, name, reason)
		return
	}
	k.record(t.Run(name, test), tested...)
}

// record notes how a test of features went.
func (k *kind) record(passed bool, tested ...feature) {
	results.Lock()
	defer results.Unlock()
	if results.of == nil {
		results.of = make(map[string]map[feature]bool)
	}
	if results.of[k.name] == nil {
		results.of[k.name] = make(map[feature]bool)
	}
	for _, f := range tested {
		before, seen := results.of[k.name][f]
		results.of[k.name][f] = passed && (before || !seen)
	}
}

// each runs a test for each client, several at once.
func each(t *testing.T, test func(*testing.T, *kind)) {
	needClients(t)
	for _, k := range kinds {
		t.Run(strings.ReplaceAll(k.name, "/", "-"), func(t *testing.T) {
			t.Parallel()
			test(t, k)
		})
	}
}

// table shows what each client can do, and how its tests went: yes, FAILED, a hyphen for what it lacks, nothing for what wasn't tested.
func table() string {
	results.Lock()
	defer results.Unlock()
	rows := [][]string{append([]string{"client", "version"}, titles[:]...)}
	var notes strings.Builder
	for _, k := range kinds {
		row := []string{k.name, k.installed()}
		for f := range features {
			passed, tested := results.of[k.name][f]
			_, lacks := k.lacks[f]
			cell := ""
			switch {
			case lacks:
				cell = "-"
				fmt.Fprintf(&notes, "%s, %s: %s.\n", k.name, titles[f], k.lacks[f])
			case tested && passed:
				cell = "yes"
			case tested:
				cell = "FAILED"
			}
			row = append(row, cell)
		}
		rows = append(rows, row)
		if k.forgets != "" {
			fmt.Fprintf(&notes, "%s, %s: but it may lose what it sent just before: %s.\n", k.name, titles[resumes], k.forgets)
		}
		if k.remark != "" {
			fmt.Fprintf(&notes, "%s: %s.\n", k.name, k.remark)
		}
	}
	return align(rows) + "\n" + notes.String()
}

// installed is the client's version, or nothing if it can't be told.
func (k *kind) installed() string {
	if len(k.version) == 0 {
		return ""
	}
	out, err := exec.Command(k.version[0], k.version[1:]...).Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

// align pads the columns.
func align(rows [][]string) string {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	for _, row := range rows {
		line := ""
		for i, cell := range row {
			line += cell + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+2)
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return b.String()
}

func TestTable(t *testing.T) {
	lines := strings.Split(table(), "\n")
	if len(lines) < 1+len(kinds) || !strings.HasPrefix(lines[0], "client ") || !strings.HasSuffix(lines[0], "  outlives its node") {
		t.Fatalf("%q", lines)
	}
	for i, k := range kinds {
		if !strings.HasPrefix(lines[1+i]+" ", k.name+" ") {
			t.Errorf("row %d: %q", i, lines[1+i])
		}
	}
	if got := align([][]string{{"a", "bcd", "e"}, {"fgh", "ü", ""}}); got != "a    bcd  e\nfgh  ü\n" {
		t.Errorf("%q", got)
	}
}
