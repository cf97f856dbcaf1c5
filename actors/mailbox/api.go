package mailbox

import (
	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
)

// Kind is the kind of mailbox actors. It is part of the store's format.
const Kind = store.MailKind

// Ref names a user's mailbox.
func Ref(user ident.UserID) actors.Ref { return actors.Ref{Kind: Kind, ID: string(user)} }
