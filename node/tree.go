package node

import (
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/account"
	"github.com/jackdaw-im/jackdaw/actors/echo"
	"github.com/jackdaw-im/jackdaw/actors/mailbox"
	"github.com/jackdaw-im/jackdaw/actors/session"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/supervision"
)

// How long the parts of the tree may take to stop. Together they stay below the ten seconds that an operator waits.
const (
	gatewayStop = 6 * time.Second
	adminStop   = time.Second
	leaveTime   = 4 * time.Second // for the node's share of the users to go to other nodes
)

// plan is the whole supervision tree. It starts from the top of the list down and stops from its end up: whoever needs
// something stands below it.
func (n *Node) plan(secret []byte) supervision.SupervisorSpec {
	mailboxes := mailbox.Supervisor(n.sys, n.mailboxConfig())
	accounts := account.Supervisor(n.sys, account.Config{Lanes: n.lanes, Moving: n.moving, Reunions: n.reunions.Load, Counters: &n.accounts})
	sessions := session.Supervisor(n.sys, n.sessionConfig(secret))
	keepers := session.Keepers(n.sys)
	n.streams = sessions
	return supervision.SupervisorSpec{
		ID: "jackdaw",
		Children: []supervision.ChildSpec{
			supervision.Service("admin", adminStop, func() (supervision.Runner, error) { return n.newAdmin(), nil }),
			supervision.Service("memory", adminStop, func() (supervision.Runner, error) { return n.newMemory(), nil }),
			// When one of these is given up, those below it, which may wait for what it had, begin anew with it.
			supervision.Sup(supervision.SupervisorSpec{ID: "messaging", Strategy: supervision.RestForOne, Children: []supervision.ChildSpec{
				supervision.Service("router", adminStop, func() (supervision.Runner, error) { return n.cluster, nil }),
				supervision.Sup(supervision.SupervisorSpec{ID: "peers", Children: n.peerServices()}),
				supervision.Sup(supervision.SupervisorSpec{ID: "lanes", Children: n.lanes.Children()}),
				mailboxes.Child(),
				accounts.Child(),
				supervision.Sup(supervision.SupervisorSpec{ID: "services", Children: []supervision.ChildSpec{
					echo.Spec(n.cfg.Domain), // the worked example of a behaviour
				}}),
				supervision.Service("share", leaveTime, func() (supervision.Runner, error) { return share{n}, nil }),
				sessions.Child(),
				keepers.Child(),
				supervision.Service("keeper", adminStop, func() (supervision.Runner, error) { return keeping{keepers, sessions}, nil }),
				supervision.Service("gateway", gatewayStop, func() (supervision.Runner, error) { return n.newGateway(sessions), nil }),
				supervision.Sup(supervision.SupervisorSpec{ID: "operations", Strategy: supervision.RestForOne, Children: n.operationServices()}),
			}}),
		},
	}
}

// services are the addresses of this domain that are no users, and the actors behind them.
func (n *Node) services() map[ident.UserID]actors.Ref {
	return map[ident.UserID]actors.Ref{
		echo.Address(n.cfg.Domain): echo.Ref(),
	}
}
