package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/jackdaw-im/jackdaw/config"
	"github.com/jackdaw-im/jackdaw/dump"
	"github.com/jackdaw-im/jackdaw/node"
	"github.com/jackdaw-im/jackdaw/supervision"
	"github.com/jackdaw-im/jackdaw/telemetry"
)

// drainTime is how long a server that was told to end may take. It leaves room below the ten seconds that those who run it give it.
const drainTime = 9 * time.Second

func newServe(c *console) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the server",
		Long: `Run the server until it is told to end. It needs no argument: without any it serves
localhost, and keeps everything in ./jackdaw-data.

Each flag is also a key of the configuration file and an environment variable: --c2s-tls is
the key c2s_tls and the variable JACKDAW_C2S_TLS. A flag comes before the variable, which
comes before the file. "jackdaw config print" shows the keys that have no flag. Those of the
cluster are cluster.join, cluster.token, cluster.listen (--cluster), cluster.advertise and
cluster.name (--node), those of its store store.url (--store) and store.directory.

With --join and --token it becomes a node of a cluster, and nothing else has to be said: the
token brings keys, domain and store. With --cluster and --store it begins a new cluster.

SIGTERM or Ctrl-C ends the server in good order: it takes no more clients, tells those it
has, and is gone within ten seconds. SIGHUP reads the certificate again. SIGQUIT writes a
crash dump, and the server goes on; a second one within five seconds ends it at once.`,
		Example: `  jackdaw serve
  jackdaw serve --domain example.org --data /var/lib/jackdaw --c2s :5222 --c2s-tls :5223
  jackdaw serve --config /etc/jackdaw.yaml
  jackdaw serve --cluster 10.0.0.1:5300 --store postgres://jackdaw:SECRET@db/jackdaw
  jackdaw serve --join 10.0.0.1:5300 --token "$TOKEN"`,
		Args: cobra.NoArgs,
	}
	s := serverFlags(cmd)
	cmd.RunE = func(*cobra.Command, []string) error {
		cfg, err := s.load(c)
		if err != nil {
			return err
		}
		log, err := telemetry.NewLogger(cfg.LogLevel, cfg.LogFormat, os.Stderr)
		if err != nil {
			return err
		}
		return serve(c, cfg, log)
	}
	return cmd
}

// serve runs a server until a signal ends it, or it ends by itself.
func serve(c *console, cfg *config.Config, log *zap.Logger) error {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	defer signal.Stop(signals)
	opening, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	n, err := node.Open(opening, cfg, log)
	cancel()
	if err != nil {
		return err
	}
	defer catchCrash(n.Dumps(), log)()
	if err := n.Start(); err != nil {
		for failed := (*supervision.StartError)(nil); errors.As(err, &failed); {
			err = failed.Err // where in the tree it happened tells an operator nothing
		}
		return err
	}
	defer dumpOnQuit(n.Dumps())()
	at, shown := n.Listening(), *cfg
	shown.Domain = n.Domain()
	if _, err := fmt.Fprint(c.out, greeting(c.name, &shown, at, n.Fingerprint())); err != nil {
		log.Warn("can't tell where the server listens", zap.Error(err)) // it serves all the same
	}
	if !private(at.Admin) {
		log.Warn("metrics and profiles can be read by everyone who reaches their address", zap.String(telemetry.KeyAddress, at.Admin))
	}
	if cfg.Clustered() {
		reachable(cfg, at, log)
	}
	var fault error
	for running := true; running; {
		select {
		case reason := <-n.Done():
			lastDump(n)
			running, fault = false, fmt.Errorf("the server ended because its parts did not stay up: %v", reason)
		case err := <-n.Fatal():
			running, fault = false, err
		case s := <-signals:
			if running = s == syscall.SIGHUP; running {
				reload(n, log)
			} else {
				log.Info("server drains", zap.Stringer(telemetry.KeySignal, s))
			}
		}
	}
	return errors.Join(fault, drain(n, signals))
}

// dumpTime is how long the end of a server is held back for its dump.
const dumpTime = 10 * time.Second

// lastDump leaves a dump of a server that could not be mended.
func lastDump(n *node.Node) {
	ctx, cancel := context.WithTimeout(context.Background(), dumpTime)
	defer cancel()
	n.Dumps().Record(ctx, dump.Ended)
}

// reload reads the certificate again.
func reload(n *node.Node, log *zap.Logger) {
	if err := n.ReloadCertificate(); err != nil {
		log.Error("certificate not reloaded: the old one stays", zap.Error(err))
		return
	}
	log.Info("certificate reloaded", zap.String(telemetry.KeyFingerprint, n.Fingerprint()))
}

// drain stops the server. A second signal ends the wait: what is acknowledged is durable already.
func drain(n *node.Node, signals <-chan os.Signal) error {
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	stopped := make(chan error, 1)
	go func() { stopped <- n.Stop(ctx) }()
	for {
		select {
		case err := <-stopped:
			return err
		case s := <-signals:
			if s != syscall.SIGHUP {
				cancel()
			}
		}
	}
}

// reachable warns of a node of a cluster that the clients of other machines can't reach, or aren't told how to.
func reachable(cfg *config.Config, at node.Addrs, log *zap.Logger) {
	if private(at.C2S) && private(at.C2STLS) {
		log.Warn("this node of a cluster takes clients from this machine only: c2s and c2s_tls say where", zap.Strings(telemetry.KeyAddress, []string{at.C2S, at.C2STLS}))
	}
	if cfg.Cluster.Client == "" {
		log.Warn("cluster.client is empty: clients that another node sends away are not told that they may come to this one")
	}
}

// private reports whether an address is reached from this machine only. One that isn't open is.
func private(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	ip := net.ParseIP(host)
	return err != nil || ip != nil && ip.IsLoopback()
}
