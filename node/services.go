package node

import (
	"context"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/account"
	"github.com/jackdaw-im/jackdaw/actors/mailbox"
	"github.com/jackdaw-im/jackdaw/actors/session"
	"github.com/jackdaw-im/jackdaw/admin"
	"github.com/jackdaw-im/jackdaw/gateway"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/supervision"
	"github.com/jackdaw-im/jackdaw/telemetry"
)

// newGateway makes the listeners. Like the others here it is called at each start of its place in the tree.
func (n *Node) newGateway(sessions *supervision.Dynamic) *gateway.Server {
	l := n.cfg.Limits
	s := gateway.New(gateway.Config{
		Domain: n.cfg.Domain, C2S: n.cfg.C2S, C2STLS: n.cfg.C2STLS, Certificate: n.cert,
		Start: func(a session.Args) (actors.Ref, error) { return session.Start(sessions, a) },
		// What a client may send before it has to wait is bounded per session, so there is always room for it.
		Cast:                  n.sys.Answer,
		StanzaBytesBeforeAuth: int(l.StanzaBytesBeforeAuth), StanzaBytes: int(l.StanzaBytes),
		Rate:     gateway.RateLimit{Stanzas: float64(l.Stanzas), Bytes: float64(l.Bytes)},
		Logger:   n.log,
		Counters: &n.connections,
		Guard:    n.dumps.Guard, TicketKeys: n.ticketKeys(),
	})
	n.gateway.Store(s)
	return s
}

// newAdmin makes the socket in the data folder, and the listener for health, metrics and profiles.
func (n *Node) newAdmin() *admin.Server {
	services := n.services()
	s := admin.New(admin.Config{
		Reserved: func(user ident.UserID) bool { _, taken := services[user]; return taken },
		Addr:     n.cfg.Admin, Socket: n.cfg.SocketFile(),
		Users: n.Users(), Inspector: inspector{n.sys, n.refuseElsewhere}, Overview: overview{n}, Backups: backups{n}, Cluster: n.newOperations(),
		Status: n.status, Ready: n.Ready, Metrics: telemetry.NewRegistry(n.sources()).Handler(), Logger: n.log,
	})
	n.admin.Store(s)
	return s
}

func (n *Node) status() admin.Status {
	s := admin.Status{Domain: n.cfg.Domain, Version: n.version.Version, Started: n.started}
	if err := n.Ready(); err != nil {
		s.NotReady = err.Error()
	}
	return s
}

func (n *Node) sessionConfig(secret []byte) session.Config {
	c := n.cfg.Session
	resume := c.ResumeTime
	if resume == 0 {
		resume = -1 // not at all
	}
	return session.Config{
		Domain: n.cfg.Domain, Secret: secret, Services: n.services(),
		Software: "Jackdaw", Version: n.version.Version,
		ResumeTime: resume, IdlePing: c.IdlePing, PingTimeout: c.PingTimeout,
		Location: n.cfg.Cluster.Client, Moving: n.moving,
		Counters: &n.sessions,
	}
}

// keeping is that this node keeps streams for others that end.
type keeping struct{ keepers, sessions *supervision.Dynamic }

// Start implements supervision.Runner.
func (k keeping) Start() error { return session.StartKeeper(k.keepers, k.sessions) }

// Stop implements supervision.Runner; the keeper ends with its supervisor.
func (k keeping) Stop(context.Context) error { return nil }

func (n *Node) mailboxConfig() mailbox.Config {
	c := n.cfg.Mailbox
	return mailbox.Config{
		Lanes: n.lanes, Moving: n.moving, GivenUp: n.givenUp.Load, Account: account.Ref,
		Limits:   mailbox.Limits{Messages: c.Messages, Bytes: int64(c.Bytes), Stranger: c.Stranger, SharePercent: c.Share, TTL: c.TTL},
		Counters: &n.mailboxes,
	}
}

// ticketKeys are those of TLS session tickets, which every node of a cluster has; nil: this node makes its own.
func (n *Node) ticketKeys() func() [][32]byte {
	if n.peers == nil {
		return nil
	}
	return func() [][32]byte { return n.peers.live.Bundle().TicketKeys() }
}
