package session

import (
	crand "crypto/rand"
	"encoding/hex"
	"math/rand/v2"
	"runtime"
	"slices"
	"time"
)

// The kinds of the actors behind users.
const (
	accountKind = "account"
	mailboxKind = "mailbox"
)

// shared is what all sessions of a node have in common. It doesn't change, but for what says so.
type shared struct {
	Config
	heirs    heirs
	plain    pacer
	services []string // the addresses of Services, sorted
	// random makes a word of 128 random bits, and jitter a random time below a bound.
	random func() string
	jitter func(time.Duration) time.Duration
}

// newShared fills in the defaults of cfg.
func newShared(cfg Config) *shared {
	sh := &shared{Config: cfg, random: random, jitter: jitter}
	sh.plain.interval = plainInterval / time.Duration(runtime.GOMAXPROCS(0))
	if sh.ResumeTime == 0 {
		sh.ResumeTime = DefaultResumeTime
	}
	if sh.IdlePing == 0 {
		sh.IdlePing = DefaultIdlePing
	}
	if sh.PingTimeout == 0 {
		sh.PingTimeout = DefaultPingTimeout
	}
	if sh.Counters == nil {
		sh.Counters = new(Counters)
	}
	for user := range sh.Services {
		sh.services = append(sh.services, string(user))
	}
	slices.Sort(sh.services)
	return sh
}

func random() string {
	var b [16]byte
	_, _ = crand.Read(b[:]) // it never fails: crypto/rand ends the process instead
	return hex.EncodeToString(b[:])
}

func jitter(below time.Duration) time.Duration { return rand.N(below) }
