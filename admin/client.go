package admin

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/adminpb"
)

// Client manages the users of a running server through its socket, and looks into it. One request runs at a time; more wait.
type Client struct {
	status Status
	mu     struct {
		sync.Mutex
		conn net.Conn
		r    *bufio.Reader
	}
}

// Dial connects to the socket of a running server. An error satisfies errors.Is with fs.ErrNotExist or syscall.ECONNREFUSED if none
// runs.
func Dial(ctx context.Context, socket string) (*Client, error) {
	path, err := shorten(socket)
	if err != nil {
		return nil, err
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("admin: %w", err)
	}
	c := &Client{}
	c.mu.conn, c.mu.r = conn, bufio.NewReader(conn)
	resp, err := c.ask(ctx, &adminpb.Request{Kind: &adminpb.Request_GetStatus{GetStatus: &adminpb.GetStatus{}}})
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	st := resp.GetStatus()
	c.status = Status{Domain: st.GetDomain(), Version: st.GetVersion(), Started: time.UnixMicro(st.GetStarted()), NotReady: st.GetNotReady()}
	return c, nil
}

// Status is how the server was when the connection began; of an actor, see ActorStatus.
func (c *Client) Status() Status { return c.status }

// ask sends a request that has one response, and waits for it.
func (c *Client) ask(ctx context.Context, req *adminpb.Request) (*adminpb.Response, error) {
	var answer *adminpb.Response
	err := c.exchange(ctx, req, func(resp *adminpb.Response) error {
		answer = resp
		return nil
	})
	return answer, err
}

// exchange sends one request and calls f for each response. Its error is a refusal, ctx's, f's, or that of the connection; after the
// last three the connection is of no more use.
func (c *Client) exchange(ctx context.Context, req *adminpb.Request, f func(*adminpb.Response) error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	stop := context.AfterFunc(ctx, func() { _ = c.mu.conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	err := writeMessage(c.mu.conn, req)
	for more := err == nil; more; {
		resp := &adminpb.Response{}
		if err = readMessage(c.mu.r, resp); err != nil {
			break
		}
		if resp.GetFailure() != nil {
			return fromFailure(resp.GetFailure())
		}
		if err := f(resp); err != nil {
			_ = c.mu.conn.Close() // the server hears by it that nobody listens
			return err
		}
		more = resp.GetMore()
	}
	switch {
	case err != nil && ctx.Err() != nil:
		return fmt.Errorf("admin: %w", ctx.Err())
	case err != nil:
		return fmt.Errorf("%w (the connection to the server ended: %w)", ErrUnknown, err)
	}
	return nil
}

// Create implements Users.
func (c *Client) Create(ctx context.Context, u User) error {
	_, err := c.ask(ctx, &adminpb.Request{Kind: &adminpb.Request_CreateUser{CreateUser: &adminpb.CreateUser{User: u.wire()}}})
	return err
}

// SetPassword implements Users.
func (c *Client) SetPassword(ctx context.Context, u User) error {
	_, err := c.ask(ctx, &adminpb.Request{Kind: &adminpb.Request_SetPassword{SetPassword: &adminpb.SetPassword{User: u.wire()}}})
	return err
}

// Remove implements Users.
func (c *Client) Remove(ctx context.Context, user ident.UserID) error {
	_, err := c.ask(ctx, &adminpb.Request{Kind: &adminpb.Request_RemoveUser{RemoveUser: &adminpb.RemoveUser{User: string(user)}}})
	return err
}

// List implements Users.
func (c *Client) List(ctx context.Context, after ident.UserID, limit int) ([]Entry, error) {
	resp, err := c.ask(ctx, &adminpb.Request{Kind: &adminpb.Request_ListUsers{ListUsers: &adminpb.ListUsers{
		After: string(after), Limit: uint32(min(max(limit, 1), maxPage))}}})
	if err != nil {
		return nil, err
	}
	var entries []Entry
	for _, e := range resp.GetUsers().GetUsers() {
		entries = append(entries, Entry{ident.UserID(e.GetUser()), time.UnixMicro(e.GetCreated()).UTC(), e.GetDisabled()})
	}
	return entries, nil
}

// Import implements Users.
func (c *Client) Import(ctx context.Context, users []User) (int, error) {
	req := &adminpb.ImportUsers{}
	for _, u := range users {
		req.Users = append(req.Users, u.wire())
	}
	resp, err := c.ask(ctx, &adminpb.Request{Kind: &adminpb.Request_ImportUsers{ImportUsers: req}})
	return int(resp.GetImported().GetCreated()), err
}

// Close ends the connection.
func (c *Client) Close() error { return c.mu.conn.Close() }
