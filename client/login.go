package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackdaw-im/jackdaw/xmpp"
)

// Dial connects and logs in: TLS, authentication, then resumption or binding, and management. Nothing more is read until Run.
// When ctx ends first, the connection is closed.
func Dial(ctx context.Context, cfg *Config) (*Conn, error) {
	account, resource, _ := strings.Cut(cfg.JID, "/")
	user, domain, ok := strings.Cut(account, "@")
	if !ok || user == "" || domain == "" {
		return nil, fmt.Errorf("client: %q is no account", cfg.JID)
	}
	dial := cfg.DialContext
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	conn, err := dial(ctx, "tcp", cfg.Addr)
	if err != nil {
		return nil, fmt.Errorf("client: dial: %w", err)
	}
	c := &Conn{cfg: cfg, domain: domain, done: make(chan struct{})}
	c.mu.conn = conn
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	err = c.login(ctx, user, resource)
	if !stop() && err == nil {
		err = ctx.Err() // the deadline is or will be set: the connection is of no use
	}
	if err != nil {
		_ = conn.Close() // the login's error is what matters
		if ctx.Err() != nil {
			err = fmt.Errorf("client: login: %w", ctx.Err())
		}
		return nil, err
	}
	return c, nil
}

// login does all of Dial that follows the connection.
func (c *Conn) login(ctx context.Context, user, resource string) error {
	c.wire.attach(c.mu.conn)
	if c.cfg.Security == StartTLS {
		if err := c.startTLS(); err != nil {
			return err
		}
	}
	config := c.cfg.TLS
	if config == nil {
		config = TLSConfig(c.domain, nil)
	}
	secured := tls.Client(c.mu.conn, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		return fmt.Errorf("client: TLS: %w", err)
	}
	c.mu.conn = secured
	c.wire.attach(secured)
	features, err := c.open()
	if err != nil {
		return err
	}
	if err := c.authenticate(features, user); err != nil {
		return err
	}
	c.wire.restart()
	if features, err = c.open(); err != nil {
		return err
	}
	if c.cfg.Resume != nil {
		if resumed, err := c.resume(c.cfg.Resume); resumed || err != nil {
			return err
		}
	}
	if err := c.bind(features, resource); err != nil {
		return err
	}
	if c.cfg.Management || c.cfg.Resume != nil {
		return c.enable()
	}
	return nil
}

// open sends a stream header and waits for the server's features.
func (c *Conn) open() (features *xmpp.Element, err error) {
	header := "<?xml version='1.0'?><stream:stream xmlns='" + xmpp.NSClient + "' xmlns:stream='" + nsStream + "' version='1.0' to='" +
		string(appendEscaped(nil, c.domain)) + "'>"
	if err := c.write([]byte(header)); err != nil {
		return nil, err
	}
	item, err := c.wire.next()
	if err != nil {
		return nil, err
	}
	if item.Kind != xmpp.StreamOpen {
		return nil, errors.New("client: the server's stream doesn't begin with a header")
	}
	return c.expect(nsStream, "features")
}

// element waits for the next element of the stream.
func (c *Conn) element() (*xmpp.Element, error) {
	item, err := c.wire.next()
	if err != nil {
		return nil, err
	}
	if item.Kind != xmpp.StanzaItem {
		return nil, ErrServerClosed
	}
	e, err := xmpp.Parse(item.Raw)
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	if e.Space == nsStream && e.Name == "error" {
		return nil, streamError(e)
	}
	return e, nil
}

// expect waits for an element that is one of these names in this namespace. Stanzas that come before are kept for Run.
func (c *Conn) expect(space string, names ...string) (*xmpp.Element, error) {
	for {
		e, err := c.element()
		switch {
		case err != nil:
			return nil, err
		case e.Space == space && slices.Contains(names, e.Name):
			return e, nil
		case e.Space == xmpp.NSClient && c.jid != "":
			c.early = append(c.early, e)
		default:
			return nil, fmt.Errorf("client: %s while waiting for %s", e.Name, strings.Join(names, " or "))
		}
	}
}

// startTLS negotiates the upgrade on the plain stream.
func (c *Conn) startTLS() error {
	features, err := c.open()
	if err != nil {
		return err
	}
	if features.Child(nsTLS, "starttls") == nil {
		return errors.New("client: the server offers no STARTTLS")
	}
	if err := c.write([]byte("<starttls xmlns='" + nsTLS + "'/>")); err != nil {
		return err
	}
	e, err := c.expect(nsTLS, "proceed", "failure")
	if err != nil {
		return err
	}
	if e.Name == "failure" {
		return errors.New("client: the server refuses STARTTLS")
	}
	return nil
}

// bind gets an address (RFC 6120 section 7), and where a server still asks for it, a session.
func (c *Conn) bind(features *xmpp.Element, resource string) error {
	b := []byte("<iq type='set' id='bind'><bind xmlns='" + nsBind + "'>")
	if resource != "" {
		b = append(b, "<resource>"...)
		b = appendEscaped(b, resource)
		b = append(b, "</resource>"...)
	}
	answer, err := c.ask(append(b, "</bind></iq>"...))
	if err != nil {
		return err
	}
	if bound := answer.Child(nsBind, "bind"); bound != nil {
		if jid := bound.Child(nsBind, "jid"); jid != nil {
			c.jid = jid.Text()
		}
	}
	if c.jid == "" {
		return errors.New("client: bound without an address")
	}
	if session := features.Child(nsSession, "session"); session != nil && session.Child(nsSession, "optional") == nil {
		_, err = c.ask([]byte("<iq type='set' id='session'><session xmlns='" + nsSession + "'/></iq>"))
	}
	return err
}

// ask sends an IQ during the login and waits for its answer.
func (c *Conn) ask(iq []byte) (*xmpp.Element, error) {
	if err := c.write(iq); err != nil {
		return nil, err
	}
	answer, err := c.expect(xmpp.NSClient, "iq")
	if err == nil && answer.Attr("type") != "result" {
		return nil, requestError(answer)
	}
	return answer, err
}

// enable turns stream management on (XEP-0198 section 3).
func (c *Conn) enable() error {
	if err := c.write([]byte("<enable xmlns='" + nsSM + "' resume='true'/>")); err != nil {
		return err
	}
	answer, err := c.expect(nsSM, "enabled", "failed")
	if err != nil {
		return err
	}
	if answer.Name == "failed" {
		return errors.New("client: the server refuses stream management")
	}
	c.mu.sm = management{on: true}
	if resume := answer.Attr("resume"); resume == "true" || resume == "1" {
		c.mu.sm.id, c.mu.sm.where = answer.Attr("id"), answer.Attr("location")
	}
	return nil
}

// resume asks to go on with an earlier stream (XEP-0198 section 5). Without an error, false means: bind.
func (c *Conn) resume(r *Resumption) (resumed bool, err error) {
	b := []byte("<resume xmlns='" + nsSM + "'")
	b = appendAttr(b, "h", strconv.FormatUint(uint64(r.Handled), 10))
	b = appendAttr(b, "previd", r.ID)
	if err := c.write(append(b, "/>"...)); err != nil {
		return false, err
	}
	answer, err := c.expect(nsSM, "resumed", "failed")
	if err != nil {
		return false, err
	}
	c.mu.sm.resume(r)
	if h := answer.Attr("h"); h != "" || answer.Name == "resumed" {
		count, err := parseCount(h)
		if err != nil {
			return false, err
		}
		if err := c.acknowledged(count); err != nil {
			return false, err
		}
	}
	if answer.Name == "failed" {
		c.carried, c.mu.sm = c.mu.sm.queue, management{}
		return false, nil
	}
	c.jid, c.resumed = r.JID, true
	var again []byte
	for _, s := range c.mu.sm.queue {
		again = append(again, s.Stanza...)
	}
	return true, c.write(again)
}

// parseCount reads an h.
func parseCount(h string) (uint32, error) {
	n, err := strconv.ParseUint(h, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("client: %q is no count of stanzas", h)
	}
	return uint32(n), nil
}
