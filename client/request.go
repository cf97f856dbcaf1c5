package client

import (
	"context"
	"fmt"
	"strconv"

	"github.com/jackdaw-im/jackdaw/xmpp"
)

// Request sends an IQ of this kind, get or set, and waits for its answer: the iq element of type result. An answer of type error is
// a *RequestError. to may be empty: the own account. It must not be called from a callback, since Run reads the answer.
func (c *Conn) Request(ctx context.Context, kind, to string, payload []byte) (*xmpp.Element, error) {
	answer := make(chan *xmpp.Element, 1)
	c.mu.Lock()
	if c.mu.ended || c.mu.closing {
		c.mu.Unlock()
		return nil, ErrClosed
	}
	if c.mu.waiting == nil {
		c.mu.waiting = make(map[string]chan<- *xmpp.Element)
	}
	c.mu.lastID++
	id := "q" + strconv.FormatUint(c.mu.lastID, 10)
	c.mu.waiting[id] = answer
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.mu.waiting, id)
		c.mu.Unlock()
	}()
	b := append([]byte("<iq type='"), kind...)
	b = append(b, '\'')
	b = appendAttr(b, "to", to)
	b = appendAttr(b, "id", id)
	b = append(b, '>')
	b = append(b, payload...)
	if err := c.Send(append(b, "</iq>"...), nil); err != nil {
		return nil, err
	}
	select {
	case e, ok := <-answer:
		if !ok {
			return nil, ErrClosed
		}
		if e.Attr("type") == "error" {
			return nil, requestError(e)
		}
		return e, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("client: request: %w", ctx.Err())
	}
}

// Ping asks the server whether it is there (XEP-0199).
func (c *Conn) Ping(ctx context.Context) error {
	_, err := c.Request(ctx, "get", c.domain, []byte("<ping xmlns='"+nsPing+"'/>"))
	return err
}

// answered gives an answer to the request that waits for it.
func (c *Conn) answered(e *xmpp.Element) bool {
	kind := e.Attr("type")
	if kind != "result" && kind != "error" {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	answer, ok := c.mu.waiting[e.Attr("id")]
	if ok {
		delete(c.mu.waiting, e.Attr("id"))
		answer <- e // has room for the one answer
	}
	return ok
}
