package admin

import (
	"bufio"
	"io"

	"google.golang.org/protobuf/encoding/protodelim"
	"google.golang.org/protobuf/proto"

	"github.com/jackdaw-im/jackdaw/proto/adminpb"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"

	"github.com/jackdaw-im/jackdaw/ident"
)

// maxFrame bounds one request or response, in bytes.
const maxFrame = 4 << 20

// maxPage is how many users travel in one request or response.
const maxPage = 1000

func readMessage(r *bufio.Reader, m proto.Message) error {
	return protodelim.UnmarshalOptions{MaxSize: maxFrame}.UnmarshalFrom(r, m)
}

// writeMessage writes in one piece.
func writeMessage(w io.Writer, m proto.Message) error {
	b := bufio.NewWriterSize(w, 4096)
	if _, err := protodelim.MarshalTo(b, m); err != nil {
		return err
	}
	return b.Flush()
}

// failure makes an error travel.
func failure(err error) *adminpb.Response {
	return &adminpb.Response{Failure: &adminpb.Failure{Code: codeOf(err), Text: err.Error()}}
}

// wordedError is a refusal in other words: those of a server from which it has travelled, or of the code that refuses.
type wordedError struct {
	text    string
	refusal error
}

// Error implements error.
func (e *wordedError) Error() string { return e.text }

// Unwrap makes errors.Is find the refusal.
func (e *wordedError) Unwrap() error { return e.refusal }

func fromFailure(f *adminpb.Failure) error {
	e := &wordedError{text: f.GetText()}
	if f.GetCode() != nodepb.Code_CODE_UNSPECIFIED {
		e.refusal = outcome(f.GetCode())
	}
	return e
}

func (u User) wire() *adminpb.User {
	return &adminpb.User{User: string(u.ID), Sha1: u.SHA1, Sha256: u.SHA256}
}

func fromWire(u *adminpb.User) User {
	return User{ident.UserID(u.GetUser()), u.GetSha1(), u.GetSha256()}
}
