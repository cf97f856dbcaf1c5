package misuse_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/cluster/trust"
	"github.com/jackdaw-im/jackdaw/internal/talk"
	"github.com/jackdaw-im/jackdaw/internal/testcluster"
	"github.com/jackdaw-im/jackdaw/internal/testnode"
)

// byHand is who makes the certificates of a cluster by hand, on a machine that is none of its nodes'.
type byHand struct {
	*rig
	authority string // the folder
	binary    string
}

// TestByHand takes a cluster whose certificates are made by `jackdaw cert` from one authority to another, in the steps that the
// command's help has, while users talk. No node is stopped for it; that one is restarted in the midst of each step shows that
// nodes which have the step's files and those which don't yet connect anew with each other.
func TestByHand(t *testing.T) {
	binary, err := testnode.Build(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	h := &byHand{rig: &rig{T: t, began: time.Now(), crowds: "crowd"}, authority: filepath.Join(t.TempDir(), "authority"), binary: binary}
	h.jackdaw("authority 1 ", "ca", h.authority)
	h.c = testcluster.Run(t, testcluster.Config{Nodes: 3, Each: h.files})
	h.whole()
	for _, n := range h.c.Nodes {
		h.uses(n)
	}
	crowd := h.crowd(9, 50*time.Millisecond)
	old, thief := h.node("x"), h.visitor("thief")
	for _, n := range h.c.Nodes {
		if err := h.fetch(thief, n); err != nil {
			t.Errorf("a certificate of the authority isn't good for %s: %v", n.Name, err)
		}
	}
	n1, n2, n3 := h.c.Nodes[0], h.c.Nodes[1], h.c.Nodes[2]
	h.says(crowd)

	h.jackdaw("Step 1 of 3: a new authority is valid", "rotate", h.authority)
	h.step(crowd, func(n *testcluster.Node) { h.give(n, trust.AuthorityFile) })
	for _, n := range []*testcluster.Node{old, thief.at} { // they know both: it is the nodes that refuse them later
		h.give(n, trust.AuthorityFile)
	}

	h.jackdaw("Step 2 of 3: the new authority signs", "rotate", h.authority)
	for _, n := range h.c.Nodes {
		h.jackdaw("authority 2 ", "node", n.Name, "--ca", h.authority)
	}
	h.give(n3, "n3.pem") // and its key some seconds later: it goes on as it was
	h.logged(n3, "the bundle of keys can't be kept up to date")
	h.says(crowd)
	h.step(crowd, func(n *testcluster.Node) { h.give(n, n.Name+".pem", n.Name+".key") })
	if err := h.fetch(thief, n1); err != nil {
		t.Errorf("a certificate of the old authority, which isn't dropped yet: %v", err)
	}

	ended := make([]func() error, len(h.c.Nodes))
	for i, n := range h.c.Nodes {
		ended[i] = h.link(thief, n)
	}
	h.jackdaw("Step 3 of 3: the old authority is dropped", "rotate", h.authority)
	h.step(crowd, func(n *testcluster.Node) { h.give(n, trust.AuthorityFile) })
	for i, n := range h.c.Nodes {
		if err := ended[i](); err != nil {
			t.Errorf("%s keeps the connection of who has a certificate of the old authority: %v", n.Name, err)
		}
	}

	for _, n := range h.c.Nodes {
		if err := h.fetch(thief, n); !errors.Is(err, trust.ErrRefused) {
			t.Errorf("%s lets in who has a certificate of the old authority: %v", n.Name, err)
		}
		if out := n.Output(); strings.Contains(out, "a lost node is given up") {
			t.Errorf("%s has missed a node: %s", n.Name, out)
		}
	}
	h.outsider(old)
	h.said("rotate authority", h.refuses(n2, "cluster", "rotate", "authority"), "jackdaw cert rotate DIR")
	h.says(crowd)
	h.finish(crowd, false)
	t.Logf("%.1f s", time.Since(h.began).Seconds())
}

// jackdaw runs `jackdaw cert`, which has to say something.
func (h *byHand) jackdaw(want string, args ...string) {
	h.Helper()
	out, err := exec.CommandContext(h.within(), h.binary, append([]string{"cert"}, args...)...).CombinedOutput()
	if err != nil || !strings.Contains(string(out), want) {
		h.Fatalf("jackdaw cert %q: %v: %s; want %q", args, err, out, want)
	}
}

// folder is where a node has its files, by the names that they have with the authority.
func folder(n *testcluster.Node) string { return n.Data + "-certificates" }

func filesOf(n *testcluster.Node) *trust.Files {
	in := func(name string) string { return filepath.Join(folder(n), name) }
	return &trust.Files{Authorities: in(trust.AuthorityFile), Certificate: in(n.Name + ".pem"), Key: in(n.Name + ".key")}
}

// files makes a node's certificate, gives it to it, and returns where that is said to it.
func (h *byHand) files(n *testcluster.Node) ([]string, error) {
	h.jackdaw("node "+n.Name, "node", n.Name, "--ca", h.authority)
	h.give(n, trust.AuthorityFile, n.Name+".pem", n.Name+".key")
	f := filesOf(n)
	return []string{"JACKDAW_CLUSTER_AUTHORITY=" + f.Authorities, "JACKDAW_CLUSTER_CERTIFICATE=" + f.Certificate, "JACKDAW_CLUSTER_KEY=" + f.Key}, nil
}

// give copies files to a node as cp does, so that it may read half of one.
func (h *byHand) give(n *testcluster.Node, names ...string) {
	h.Helper()
	err := os.MkdirAll(folder(n), 0o700)
	for _, name := range names {
		text, failed := os.ReadFile(filepath.Join(h.authority, name))
		err = errors.Join(err, failed, os.WriteFile(filepath.Join(folder(n), name), text, 0o600))
	}
	if err != nil {
		h.Fatal(err)
	}
}

// step gives the files of a step to one node after the other.
func (h *byHand) step(crowd *talk.Crowd, give func(*testcluster.Node)) {
	h.Helper()
	for i, n := range h.c.Nodes {
		give(n)
		h.uses(n)
		if i == 0 {
			h.mixed(n)
		}
		h.says(crowd)
	}
	h.whole()
	h.Logf("at %.1f s all have the step's files", time.Since(h.began).Seconds())
}

// mixed shows that a node which is a step ahead and the others do all that they have to with each other.
func (h *byHand) mixed(ahead *testcluster.Node) {
	h.Helper()
	behind := h.c.Nodes[1]
	if err := errors.Join(behind.Stop(h.within()), behind.Start(h.within())); err != nil {
		h.Fatal(err)
	}
	h.whole()
	h.command(ahead, "cluster", "rotate", "token") // it returns when all have the new key
}

// says waits until the crowd has gone on for a while, all of it.
func (h *byHand) says(crowd *talk.Crowd) {
	h.Helper()
	if err := errors.Join(crowd.Online(h.within()), crowd.Says(h.within(), 30)); err != nil {
		h.Fatal(err)
	}
}

// uses waits until a node goes by the files that it was given: it shows that certificate, and takes those of these authorities and no others.
func (h *byHand) uses(n *testcluster.Node) {
	h.Helper()
	certificates := func(file string) []*x509.Certificate {
		text, err := os.ReadFile(file)
		if err != nil {
			h.Fatal(err)
		}
		list, err := trust.ParseCertificates(text)
		if err != nil {
			h.Fatal(err)
		}
		return list
	}
	own, valid := certificates(filesOf(n).Certificate)[0], certificates(filesOf(n).Authorities)
	h.until(n.Name+" to use its files", func() string {
		shown, takes, err := h.greeted(n)
		switch {
		case err != nil:
			return err.Error()
		case !shown.Equal(own):
			return "it shows a certificate by " + shown.Issuer.CommonName
		case len(takes) != len(valid):
			return fmt.Sprintf("it takes certificates of %d authorities", len(takes))
		}
		for i := range valid {
			if !bytes.Equal(takes[i], valid[i].RawSubject) {
				return "it takes those of another authority than " + valid[i].Subject.CommonName
			}
		}
		return ""
	})
}

// greeted calls a node, and returns the certificate that it shows and the names of the authorities of which it takes one.
func (h *byHand) greeted(n *testcluster.Node) (shown *x509.Certificate, takes [][]byte, err error) {
	ctx, cancel := context.WithTimeout(h.Context(), 3*time.Second)
	defer cancel()
	dialer := tls.Dialer{Config: &tls.Config{
		MinVersion: tls.VersionTLS13, NextProtos: []string{trust.TrustProtocol}, InsecureSkipVerify: true, // it is compared
		GetClientCertificate: func(r *tls.CertificateRequestInfo) (*tls.Certificate, error) {
			takes = r.AcceptableCAs
			return new(tls.Certificate), nil
		},
	}}
	conn, err := dialer.DialContext(ctx, "tcp", n.Cluster())
	if err != nil {
		return nil, nil, err
	}
	return conn.(*tls.Conn).ConnectionState().PeerCertificates[0], takes, conn.Close()
}

// visitor is who has a certificate of its own and all that nodes share, and runs no server.
type visitor struct {
	at   *testcluster.Node
	live *trust.Live
}

func (h *byHand) visitor(name string) *visitor {
	h.Helper()
	n := &testcluster.Node{Name: name, Data: filepath.Join(h.TempDir(), name)}
	if _, err := h.files(n); err != nil {
		h.Fatal(err)
	}
	live, err := trust.Create(trust.Options{File: n.Data + ".json", Name: name, Files: filesOf(n)}, h.bundle())
	if err != nil {
		h.Fatal(err)
	}
	h.Cleanup(live.Close)
	return &visitor{n, live}
}

// fetch asks a node for what only nodes are given.
func (h *byHand) fetch(v *visitor, n *testcluster.Node) error {
	if err := v.live.Tick(); err != nil {
		h.Fatal(err)
	}
	_, err := v.live.Fetch(h.within(), trust.Member{Name: n.Name, Addr: n.Cluster()})
	return err
}

// link connects a visitor to a node as another node does; ended waits until the node has closed that.
func (h *byHand) link(v *visitor, n *testcluster.Node) (ended func() error) {
	h.Helper()
	at, err := netip.ParseAddrPort(n.Cluster())
	if err != nil {
		h.Fatal(err)
	}
	at = netip.AddrPortFrom(at.Addr(), at.Port()+1) // where links are
	conn, err := (&tls.Dialer{Config: v.live.ClientTLS(n.Name, "h2")}).DialContext(h.within(), "tcp", at.String())
	if err != nil {
		h.Fatal(err)
	}
	h.Cleanup(func() { _ = conn.Close() })
	first := make([]byte, 9) // it is let in: the server's settings come
	if _, err := io.ReadFull(conn, first); err != nil {
		h.Fatal(err)
	}
	return func() error {
		if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		return nil
	}
}

// node is one that isn't started yet, with a certificate of the authority of now.
func (h *byHand) node(name string) *testcluster.Node {
	h.Helper()
	return h.prepare(name, returning(name, h.c.Nodes[0].Cluster()))
}

// outsider starts a node that has all that the others share, but a certificate of the old authority. It stays outside, and says why.
func (h *byHand) outsider(x *testcluster.Node) {
	h.Helper()
	h.keep(x, h.bundle())
	h.launch(x)
	h.unready(x, "joining: this node and n", "don't accept each other", "certificate")
	h.Logf("it says: %v", x.Ready(h.Context()))
	h.logged(x, "this node stays out of the cluster")
	h.whole()
	x.Kill()
}

// refuses is what a command says that has to fail.
func (h *byHand) refuses(n *testcluster.Node, args ...string) string {
	h.Helper()
	out, err := n.Command(h.within(), append(args, "--data", n.Data)...)
	if err == nil {
		h.Errorf("%q isn't refused: %s", args, out)
	}
	return out
}
