package admin

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/adminpb"
	"github.com/jackdaw-im/jackdaw/supervision"
)

// Own is what a node tells of itself, and does, when another node asks on behalf of an operator. Its methods must not wait for anything.
type Own interface {
	// NodeStatus says how the node is.
	NodeStatus() *adminpb.NodeStatus
	// BeginDrain begins to empty the node.
	BeginDrain(req *adminpb.DrainNode) (*adminpb.DrainStatus, error)
	// EndDrain makes it take its share and clients again.
	EndDrain() (*adminpb.DrainStatus, error)
	// DrainProgress says how far it is.
	DrainProgress() *adminpb.DrainStatus
}

// OperatorKind is the kind of the actor through which nodes ask each other on behalf of operators; there is one on each, pinned to it.
const OperatorKind = "operator"

// operatorID is the operator's id on every node.
const operatorID = "node"

// operatorTime is how long a node may take to answer another's operator.
const operatorTime = 2 * time.Second

// OperatorRef names the operator of a node.
func OperatorRef(node ident.NodeID) actors.Ref {
	return actors.Ref{Kind: OperatorKind, ID: operatorID, Node: node}
}

// Operators is a supervisor for the one operator of a node, which StartOperator starts below it.
func Operators(sys *actors.System) *supervision.Dynamic {
	return supervision.NewDynamic(sys, supervision.DynamicSpec{
		ID: "operators", Partitions: 1, Intensity: 10,
		Child: actors.Spec{Kind: OperatorKind, Blocking: true, New: func() actors.Behaviour { return new(operator) }},
	})
}

// StartOperator starts the operator of a node; one that runs already is left alone.
func StartOperator(d *supervision.Dynamic, own Own) error {
	_, err := d.StartChild(operatorID, own)
	if errors.Is(err, actors.ErrExists) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("admin: %w", err)
	}
	return nil
}

// AskOperator asks a node, which may be this one. An error is that node's refusal, or says that it doesn't answer.
func AskOperator(ctx context.Context, sys *actors.System, node ident.NodeID, req *adminpb.Request) (*adminpb.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, operatorTime)
	defer cancel()
	answer, err := sys.Call(ctx, OperatorRef(node), req)
	if err != nil {
		return nil, Refuse(ErrBusy, "the node %s doesn't answer (%v)", node, err)
	}
	resp, ok := answer.(*adminpb.Response)
	if !ok {
		return nil, Refuse(ErrUnknown, "the node %s answers with what this version doesn't know", node)
	}
	if f := resp.GetFailure(); f != nil {
		return nil, fromFailure(f)
	}
	return resp, nil
}

// operator answers other nodes. It keeps nothing.
type operator struct{ own Own }

// Init implements actors.Behaviour.
func (o *operator) Init(_ *actors.Context, args any) error {
	o.own = args.(Own)
	return nil
}

// Handle implements actors.Behaviour; nobody casts to an operator.
func (o *operator) Handle(*actors.Context, any) error { return nil }

// HandleCall implements actors.CallHandler.
func (o *operator) HandleCall(_ *actors.Context, _ actors.From, req any) (any, error) {
	r, ok := req.(*adminpb.Request)
	if !ok {
		return nil, fmt.Errorf("admin: an operator is asked with a %T", req)
	}
	return o.answer(r), nil
}

// answer does what another node asks for; all else is refused, because it is the business of the socket.
func (o *operator) answer(req *adminpb.Request) *adminpb.Response {
	resp := &adminpb.Response{}
	var st *adminpb.DrainStatus
	var err error
	switch k := req.GetKind().(type) {
	case *adminpb.Request_GetNode:
		resp.Kind = &adminpb.Response_Node{Node: o.own.NodeStatus()}
		return resp
	case *adminpb.Request_DrainNode:
		st, err = o.own.BeginDrain(k.DrainNode)
	case *adminpb.Request_UndrainNode:
		st, err = o.own.EndDrain()
	case *adminpb.Request_GetDrain:
		st = o.own.DrainProgress()
	default:
		err = fmt.Errorf("%w: that node doesn't know this request, perhaps because it is an older version", ErrInvalid)
	}
	if err != nil {
		return failure(err)
	}
	resp.Kind = &adminpb.Response_Drain{Drain: st}
	return resp
}
