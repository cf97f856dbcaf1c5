package trust

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
)

// The ALPN protocols of the cluster's address: joining, by who has a token and no certificate yet, and giving bundles, among nodes.
const (
	JoinProtocol  = "jackdaw-join/1"
	TrustProtocol = "jackdaw-trust/1"
)

const (
	maxJoin  = 4 << 10            // of a request by somebody unknown, in bytes
	maxFrame = MaxBundle + 16<<10 // of all others
	maxText  = 500                // of another node's explanation
)

// request is what a client of either protocol sends, once on a connection.
type request struct {
	Op string `json:"op"` // join, fetch or push

	Token     string `json:"token,omitempty"`
	Name      string `json:"name,omitempty"`
	Advertise string `json:"advertise,omitempty"`
	Release   string `json:"release,omitempty"`

	Bundle json.RawMessage `json:"bundle,omitempty"` // what is pushed
}

// answer is the server's.
type answer struct {
	Refused string          `json:"refused,omitempty"` // one of the codes
	Text    string          `json:"text,omitempty"`    // why, for people
	Bundle  json.RawMessage `json:"bundle,omitempty"`  // what was asked for
	Stamp   string          `json:"stamp,omitempty"`   // of the bundle that the server has now
}

// The codes of refusals. A client takes one that it doesn't know for refusedOther.
const (
	refusedMalformed = "malformed"
	refusedExpired   = "expired"
	refusedCluster   = "cluster"
	refusedVoid      = "void"
	refusedRevoked   = "revoked"
	refusedLeaving   = "leaving"
	refusedBusy      = "busy"
	refusedOther     = "other"
)

// Errors of a join or of giving bundles that a caller may branch on, beside those of tokens and ErrRevoked.
var (
	ErrBusy    = errors.New("trust: too many attempts; try again in a minute")
	ErrLeaving = errors.New("trust: this node's authority is being dropped after a revocation: the new bundle will be pushed here; " +
		"if it doesn't come, join again with a token")
	ErrRefused = errors.New("trust: refused")
)

// refusals are the errors that have a code.
var refusals = []struct {
	code string
	err  error
}{
	{refusedMalformed, ErrTokenMalformed}, {refusedExpired, ErrTokenExpired}, {refusedCluster, ErrOtherCluster}, {refusedVoid, ErrTokenVoid},
	{refusedRevoked, ErrRevoked}, {refusedLeaving, ErrLeaving}, {refusedBusy, ErrBusy},
}

// refuse is the answer that says err.
func refuse(err error) answer {
	for _, r := range refusals {
		if errors.Is(err, r.err) {
			return answer{Refused: r.code, Text: err.Error()}
		}
	}
	return answer{Refused: refusedOther, Text: err.Error()}
}

// err is the error that an answer says, nil if it refuses nothing.
func (a *answer) err() error {
	if a.Refused == "" {
		return nil
	}
	for _, r := range refusals {
		if a.Refused == r.code {
			if r.code == refusedCluster {
				return fmt.Errorf("%w: %s", r.err, strings.TrimPrefix(printable(a.Text), ErrOtherCluster.Error()+": "))
			}
			return r.err
		}
	}
	return fmt.Errorf("%w: %s", ErrRefused, printable(a.Text))
}

// printable makes another program's text fit for a terminal and a log.
func printable(text string) string {
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text[:min(len(text), maxText)])
	return strings.TrimPrefix(text, "trust: ")
}

// writeFrame writes a value as JSON behind its length.
func writeFrame(w io.Writer, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("trust: encode: %w", err)
	}
	if len(body) > maxFrame {
		return fmt.Errorf("trust: a message of %d bytes is too long", len(body))
	}
	_, err = w.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...))
	return err
}

// readFrame reads one of at most limit bytes. Memory is taken as bytes come, not as a length promises them.
func readFrame(r io.Reader, limit int, v any) error {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	n := binary.BigEndian.Uint32(head[:])
	if uint64(n) > uint64(limit) {
		return fmt.Errorf("trust: a message of %d bytes is too long, at most %d are taken", n, limit)
	}
	body, err := io.ReadAll(io.LimitReader(r, int64(n)))
	if err != nil {
		return err
	}
	if len(body) != int(n) {
		return io.ErrUnexpectedEOF
	}
	if json.Unmarshal(body, v) != nil { // its error may quote what was read
		return errors.New("trust: a message can't be read")
	}
	return nil
}
