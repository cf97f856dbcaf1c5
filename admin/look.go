package admin

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"go.uber.org/zap"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/proto/adminpb"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/telemetry"
)

// lookTime is how long an actor, or the tree, may take to answer. An actor that is stuck longer tells so by it.
const lookTime = 5 * time.Second

// dumpPiece is how much of a dump travels in one response, in bytes.
const dumpPiece = 64 << 10

// maxDoc bounds a state, in bytes: what has room in a frame.
const maxDoc = maxFrame - 4096

// errNoLook refuses to look into what can't be looked into.
var errNoLook = fmt.Errorf("%w: this server can't be looked into", ErrInvalid)

var done = &adminpb.Response{Kind: &adminpb.Response_Done{Done: &adminpb.Done{}}}

// ended is the last response of those that answer one request.
func ended(err error) *adminpb.Response {
	if err != nil {
		return failure(err)
	}
	return done
}

// look answers the requests about actors and the server as a whole that have one answer; nil if req is none.
func (s *Socket) look(req *adminpb.Request) *adminpb.Response {
	ctx, cancel := context.WithTimeout(s.ctx, lookTime)
	defer cancel()
	in, resp := s.cfg.Inspector, &adminpb.Response{}
	var err error
	switch k := req.GetKind().(type) {
	case *adminpb.Request_GetState:
		err = s.sys(k.GetState.GetRef(), func(ref actors.Ref) error {
			doc, err := in.State(ctx, ref)
			if err == nil && len(doc) > maxDoc {
				err = fmt.Errorf("%w: the state has %d bytes, and %d are the most that travel", ErrInvalid, len(doc), maxDoc)
			}
			resp.Kind = &adminpb.Response_State{State: &adminpb.State{Json: string(doc)}}
			return err
		})
	case *adminpb.Request_ReplaceState:
		err = s.sys(k.ReplaceState.GetRef(), func(ref actors.Ref) error {
			resp.Kind = done.Kind
			return in.Replace(ctx, ref, []byte(k.ReplaceState.GetJson()))
		})
	case *adminpb.Request_SuspendActor:
		err = s.sys(k.SuspendActor.GetRef(), func(ref actors.Ref) error {
			resp.Kind = done.Kind
			return in.Suspend(ctx, ref)
		})
	case *adminpb.Request_ResumeActor:
		err = s.sys(k.ResumeActor.GetRef(), func(ref actors.Ref) error {
			resp.Kind = done.Kind
			return in.Resume(ctx, ref)
		})
	case *adminpb.Request_GetActorStatus:
		err = s.sys(k.GetActorStatus.GetRef(), func(ref actors.Ref) error {
			status, err := in.ActorStatus(ctx, ref)
			resp.Kind = &adminpb.Response_ActorStatus{ActorStatus: status}
			return err
		})
	default:
		return s.view(ctx, req)
	}
	if err != nil {
		return failure(err)
	}
	return resp
}

// sys does something to one actor. The Inspector leaves word of it.
func (s *Socket) sys(to *nodepb.Ref, f func(actors.Ref) error) error {
	ref := actors.RefOf(to)
	switch {
	case s.cfg.Inspector == nil:
		return errNoLook
	case ref.ID == "":
		return fmt.Errorf("%w: the request names no actor", ErrInvalid)
	}
	return f(ref)
}

// view answers the requests about the server as a whole; nil if req is none.
func (s *Socket) view(ctx context.Context, req *adminpb.Request) *adminpb.Response {
	var resp adminpb.Response
	var err error
	switch req.GetKind().(type) {
	case *adminpb.Request_GetTree, *adminpb.Request_GetTop, *adminpb.Request_WriteDump:
		if s.cfg.Overview == nil {
			return failure(errNoLook)
		}
	}
	switch req.GetKind().(type) {
	case *adminpb.Request_GetTree:
		s.log.Debug("admin: tree")
		var tree *adminpb.TreeNode
		tree, err = s.cfg.Overview.Tree(ctx)
		resp.Kind = &adminpb.Response_Tree{Tree: tree}
	case *adminpb.Request_GetTop:
		s.log.Debug("admin: top")
		var top *adminpb.Top
		top, err = s.cfg.Overview.Top(ctx)
		resp.Kind = &adminpb.Response_Top{Top: top}
	case *adminpb.Request_WriteDump:
		var dumped *adminpb.Dumped
		dumped, err = s.cfg.Overview.Dump(s.ctx) // of a large server, it takes its time
		s.log.Info("admin: dump", zap.String(telemetry.KeyFile, dumped.GetFile()), zap.Error(err))
		resp.Kind = &adminpb.Response_Dumped{Dumped: dumped}
	default:
		return nil
	}
	if err != nil {
		return failure(err)
	}
	return &resp
}

// streamed answers a request with several responses. The client ends it by closing the connection, Stop by its own.
func (s *Socket) streamed(conn net.Conn, r *bufio.Reader, f func(context.Context) error) error {
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	over := make(chan struct{})
	go func() {
		defer close(over)
		if _, err := r.Peek(1); err != nil { // the client may as well have sent its next request
			cancel()
		}
	}()
	err := f(ctx)
	_ = conn.SetReadDeadline(time.Now()) // ends the Peek
	<-over
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.mu.stopping {
		_ = conn.SetReadDeadline(time.Time{})
	}
	return err
}

// trace sends the next messages of an actor as they come. An error is that of sending.
func (s *Socket) trace(ctx context.Context, req *adminpb.TraceActor, send func(*adminpb.Response) error) error {
	var lost error
	err := s.sys(req.GetRef(), func(ref actors.Ref) error {
		n := int(min(req.GetMessages(), MaxTrace))
		if n == 0 {
			n = MaxTrace
		}
		return s.cfg.Inspector.Trace(ctx, ref, n, func(e *adminpb.TraceEvent) error {
			lost = send(&adminpb.Response{Kind: &adminpb.Response_TraceEvent{TraceEvent: e}, More: true})
			return lost
		})
	})
	if lost != nil {
		return lost
	}
	return send(ended(err))
}

// sendDump sends a dump in pieces. An error is that of sending.
func (s *Socket) sendDump(ctx context.Context, send func(*adminpb.Response) error) error {
	if s.cfg.Overview == nil {
		return send(failure(errNoLook))
	}
	w := &pieces{send: send}
	b := bufio.NewWriterSize(w, dumpPiece)
	err := errors.Join(s.cfg.Overview.DumpTo(ctx, b), b.Flush())
	s.log.Info("admin: dump", zap.Error(err))
	if w.lost != nil {
		return w.lost
	}
	return send(ended(err))
}

// pieces is an io.Writer whose bytes travel.
type pieces struct {
	send func(*adminpb.Response) error
	lost error
}

// Write implements io.Writer.
func (p *pieces) Write(b []byte) (int, error) {
	for rest := b; len(rest) > 0; {
		n := min(len(rest), dumpPiece)
		part := &adminpb.DumpPart{Data: rest[:n]}
		if p.lost = p.send(&adminpb.Response{Kind: &adminpb.Response_DumpPart{DumpPart: part}, More: true}); p.lost != nil {
			return 0, p.lost
		}
		rest = rest[n:]
	}
	return len(b), nil
}
