package member

import (
	"log"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"

	"go.uber.org/zap"

	"github.com/jackdaw-im/jackdaw/telemetry"
)

// lines takes memberlist's log, line by line. It is read only by who looks for a fault of gossip itself; what matters is told as news. Only
// here is it said who is refused and why.
type lines struct {
	log               *zap.Logger
	foreign, wrongKey atomic.Uint64
	mu                struct {
		sync.Mutex
		said map[string]bool // refusal and host
	}
}

// saidMost is for how many hosts a refusal is said once; the rest is only counted.
const saidMost = 256

func newLines(log *zap.Logger) *lines {
	l := &lines{log: log}
	l.mu.said = map[string]bool{}
	return l
}

func (l *lines) logger() *log.Logger { return log.New(l, "", 0) }

var sender = regexp.MustCompile(`from=(\S+?)(:\d+)?$`)

// Write takes a line.
func (l *lines) Write(b []byte) (int, error) {
	line := strings.TrimSpace(string(b))
	switch {
	case strings.Contains(line, "unacceptable label"):
		l.foreign.Add(1)
		l.once("a node of another cluster is refused", line)
	case strings.Contains(line, "ecrypt packet failed"), strings.Contains(line, "installed keys could decrypt"),
		strings.Contains(line, "encryption is configured but remote state is not encrypted"):
		l.wrongKey.Add(1)
		l.once("a node with another gossip key is refused", line)
	default:
		l.log.Debug("memberlist", zap.String(telemetry.KeyText, line))
	}
	return len(b), nil
}

// once says a refusal the first time that a host meets it.
func (l *lines) once(what, line string) {
	host := ""
	if found := sender.FindStringSubmatch(line); found != nil {
		host = found[1]
	}
	l.mu.Lock()
	known := l.mu.said[what+host] || len(l.mu.said) >= saidMost
	if !known {
		l.mu.said[what+host] = true
	}
	l.mu.Unlock()
	if !known {
		l.log.Info(what, zap.String(telemetry.KeyRemote, host))
	}
}
