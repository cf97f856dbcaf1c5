package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"strings"
	"time"

	"github.com/jackdaw-im/jackdaw/internal/testnode"
)

func main() {
	pairs := flag.Int("pairs", 200, "pairs of sender and recipient")
	rate := flag.Int("rate", 1000, "messages a second")
	seconds := flag.Int("seconds", 8, "length of each measurement")
	serve := flag.String("serve", "", "serve on this address (what the program starts itself for)")
	keep := flag.String("keep", "", "file that the server writes and flushes each message to")
	flag.Parse()
	if err := run(*pairs, *rate, *seconds, *serve, *keep); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(pairs, rate, seconds int, serve, keep string) error {
	if serve != "" {
		return serveOn(serve, keep)
	}
	dir, err := os.MkdirTemp("", "jackdaw-relay-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }() // nothing is of use later
	for _, m := range []struct{ what, file string }{{"passed on", ""}, {"flushed and passed on", dir + "/log"}} {
		each, err := measure(pairs, rate, seconds, m.file)
		if err != nil {
			return err
		}
		fmt.Printf("%-22s %.0f us of CPU a message, at %d a second\n", m.what, float64(each)/float64(time.Microsecond), rate)
	}
	return nil
}

func serveOn(addr, keep string) error {
	r := &relay{}
	if keep != "" {
		f, err := os.Create(keep)
		if err != nil {
			return err
		}
		r.log = f
	}
	cert, err := certificate()
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	r.serve(l, cert)
	return nil
}

// measure starts a server process and returns its processor time for each message.
func measure(pairs, rate, seconds int, keep string) (time.Duration, error) {
	addr, err := testnode.FreeAddr()
	if err != nil {
		return 0, err
	}
	server := testnode.NewProcess(os.Args[0], "-serve", addr, "-keep", keep)
	if err := server.Start(); err != nil {
		return 0, err
	}
	defer server.Kill()
	senders, err := connect(addr, pairs)
	if err != nil {
		return 0, fmt.Errorf("relay: %w\n%s", err, server.Output())
	}
	before, err := testnode.UsageOf(server.PID())
	if err != nil {
		return 0, err
	}
	if err := send(senders, rate, rate*seconds); err != nil {
		return 0, err
	}
	after, err := testnode.UsageOf(server.PID())
	return (after.CPU - before.CPU) / time.Duration(rate*seconds), err
}

// connect opens all pairs and returns the senders. Everything that comes is read; recipients acknowledge it.
func connect(addr string, pairs int) ([]net.Conn, error) {
	var senders []net.Conn
	for n := range pairs {
		for _, kind := range []byte("rs") {
			c, err := dial(addr)
			if err != nil {
				return nil, err
			}
			if _, err := c.Write(binary.BigEndian.AppendUint32([]byte{kind}, uint32(n))); err != nil {
				return nil, err
			}
			if kind == 's' {
				senders = append(senders, c)
			}
			go read(c, kind == 'r') // until the server is killed
		}
	}
	return senders, nil
}

// dial waits for a server that has just been started.
func dial(addr string) (net.Conn, error) {
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(10 * time.Second); ; <-ticker.C {
		c, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true}) // it is our own, made a moment ago
		if err == nil || time.Now().After(deadline) {
			return c, err
		}
	}
}

func read(c net.Conn, acknowledge bool) {
	buf := make([]byte, 4096)
	for {
		if _, err := c.Read(buf); err != nil {
			return
		}
		if acknowledge {
			if _, err := io.WriteString(c, "<a h='1'/>"); err != nil {
				return
			}
		}
	}
}

// send sends n messages of a usual size at the rate.
func send(senders []net.Conn, rate, n int) error {
	msg := []byte(strings.Repeat("x", 300))
	ticker := time.NewTicker(time.Second / time.Duration(rate))
	defer ticker.Stop()
	for i := range n {
		<-ticker.C
		if _, err := senders[i%len(senders)].Write(msg); err != nil {
			return fmt.Errorf("relay: message %d: %w", i, err)
		}
	}
	return nil
}

func certificate() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}
