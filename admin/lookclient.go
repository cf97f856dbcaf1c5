package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/config"
	"github.com/jackdaw-im/jackdaw/proto/adminpb"
)

// ErrNoServer says that nobody administers a data folder's server, because none runs.
var ErrNoServer = errors.New("admin: no server runs on the data folder")

// Connect reaches the running server of a configuration's data folder. The error says what to do if there is none.
func Connect(ctx context.Context, cfg *config.Config) (*Client, error) {
	client, err := Dial(ctx, cfg.SocketFile())
	switch {
	case errors.Is(err, os.ErrPermission):
		return nil, noPermission(err)
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return nil, fmt.Errorf("%w %s: start one with `jackdaw serve`, or say with --data which folder is meant", ErrNoServer, cfg.Data)
	}
	return client, err
}

func noPermission(err error) error {
	return fmt.Errorf("admin: no permission for the socket of the running server: become the user who runs it (%w)", err)
}

// State implements Inspector.
func (c *Client) State(ctx context.Context, ref actors.Ref) ([]byte, error) {
	resp, err := c.ask(ctx, &adminpb.Request{Kind: &adminpb.Request_GetState{GetState: &adminpb.GetState{Ref: ref.Proto()}}})
	return []byte(resp.GetState().GetJson()), err
}

// Replace implements Inspector.
func (c *Client) Replace(ctx context.Context, ref actors.Ref, doc []byte) error {
	_, err := c.ask(ctx, &adminpb.Request{Kind: &adminpb.Request_ReplaceState{ReplaceState: &adminpb.ReplaceState{Ref: ref.Proto(), Json: string(doc)}}})
	return err
}

// Suspend implements Inspector.
func (c *Client) Suspend(ctx context.Context, ref actors.Ref) error {
	_, err := c.ask(ctx, &adminpb.Request{Kind: &adminpb.Request_SuspendActor{SuspendActor: &adminpb.SuspendActor{Ref: ref.Proto()}}})
	return err
}

// Resume implements Inspector.
func (c *Client) Resume(ctx context.Context, ref actors.Ref) error {
	_, err := c.ask(ctx, &adminpb.Request{Kind: &adminpb.Request_ResumeActor{ResumeActor: &adminpb.ResumeActor{Ref: ref.Proto()}}})
	return err
}

// ActorStatus implements Inspector.
func (c *Client) ActorStatus(ctx context.Context, ref actors.Ref) (*adminpb.ActorStatus, error) {
	resp, err := c.ask(ctx, &adminpb.Request{Kind: &adminpb.Request_GetActorStatus{GetActorStatus: &adminpb.GetActorStatus{Ref: ref.Proto()}}})
	return resp.GetActorStatus(), err
}

// Trace implements Inspector. Unless it returns nil or a refusal, the Client can't be used any more.
func (c *Client) Trace(ctx context.Context, ref actors.Ref, n int, f func(*adminpb.TraceEvent) error) error {
	req := &adminpb.TraceActor{Ref: ref.Proto(), Messages: uint32(min(max(n, 1), MaxTrace))}
	return c.exchange(ctx, &adminpb.Request{Kind: &adminpb.Request_TraceActor{TraceActor: req}}, func(resp *adminpb.Response) error {
		if e := resp.GetTraceEvent(); e != nil {
			return f(e)
		}
		return nil
	})
}

// Tree implements Overview.
func (c *Client) Tree(ctx context.Context) (*adminpb.TreeNode, error) {
	resp, err := c.ask(ctx, &adminpb.Request{Kind: &adminpb.Request_GetTree{GetTree: &adminpb.GetTree{}}})
	return resp.GetTree(), err
}

// Top implements Overview.
func (c *Client) Top(ctx context.Context) (*adminpb.Top, error) {
	resp, err := c.ask(ctx, &adminpb.Request{Kind: &adminpb.Request_GetTop{GetTop: &adminpb.GetTop{}}})
	return resp.GetTop(), err
}

// Dump implements Overview.
func (c *Client) Dump(ctx context.Context) (*adminpb.Dumped, error) {
	resp, err := c.ask(ctx, &adminpb.Request{Kind: &adminpb.Request_WriteDump{WriteDump: &adminpb.WriteDump{}}})
	return resp.GetDumped(), err
}

// DumpTo implements Overview. Unless it returns nil or a refusal, the Client can't be used any more.
func (c *Client) DumpTo(ctx context.Context, w io.Writer) error {
	req := &adminpb.WriteDump{Send: true}
	return c.exchange(ctx, &adminpb.Request{Kind: &adminpb.Request_WriteDump{WriteDump: req}}, func(resp *adminpb.Response) error {
		_, err := w.Write(resp.GetDumpPart().GetData())
		return err
	})
}
