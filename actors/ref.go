package actors

import (
	"fmt"
	"strings"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// Ref names an actor. With a node it is pinned to that incarnation of it. Without one it is, if its kind is placed, wherever the cluster puts
// (Kind, ID), and else on the node that asks. It is comparable and may be kept, sent and stored.
type Ref struct {
	Kind string
	ID   string
	Node ident.NodeID
}

// String writes kind/id, followed by @node for a pinned Ref.
func (r Ref) String() string {
	if r.Node == "" {
		return r.Kind + "/" + r.ID
	}
	return r.Kind + "/" + r.ID + "@" + string(r.Node)
}

// IsZero reports whether the Ref names nothing.
func (r Ref) IsZero() bool { return r == Ref{} }

// ParseRef reads what String writes. A node is what follows the last '@' if it looks like an incarnation, name@number: the
// ids of users have an '@' of their own.
func ParseRef(s string) (Ref, error) {
	kind, rest, ok := strings.Cut(s, "/")
	if !ok || kind == "" || rest == "" {
		return Ref{}, fmt.Errorf("actors: %q is no ref: want kind/id or kind/id@name@incarnation", s)
	}
	parts := strings.Split(rest, "@")
	if n := len(parts); n >= 3 && parts[n-2] != "" && isNumber(parts[n-1]) {
		if n == 3 && parts[0] == "" {
			return Ref{}, fmt.Errorf("actors: %q is no ref: it has no id", s)
		}
		return Ref{kind, strings.Join(parts[:n-2], "@"), ident.NodeID(parts[n-2] + "@" + parts[n-1])}, nil
	}
	return Ref{Kind: kind, ID: rest}, nil
}

func isNumber(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// RefOf reads a Ref from its protobuf form; nil is the zero Ref.
func RefOf(r *nodepb.Ref) Ref {
	return Ref{Kind: r.GetKind(), ID: r.GetId(), Node: ident.NodeID(r.GetNode())}
}

// Proto returns the protobuf form. It may be shared: messages are immutable.
func (r Ref) Proto() *nodepb.Ref {
	return &nodepb.Ref{Kind: r.Kind, Id: r.ID, Node: string(r.Node)}
}
