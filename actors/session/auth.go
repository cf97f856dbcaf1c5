package session

import (
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/xmpp"
	"github.com/jackdaw-im/jackdaw/xmpp/sasl"
)

// accountTimeout is how long the own account may take to answer what it commits: it covers a busy disk.
const accountTimeout = 10 * time.Second

// maxTries is how many tries one stream has to log in; RFC 6120 section 6.4.5 wants two to five more than one.
const maxTries = 4

// The conditions of <failure/> in use (RFC 6120 section 6.5).
const (
	saslAborted           = "aborted"
	saslIncorrectEncoding = "incorrect-encoding"
	saslInvalidAuthzid    = "invalid-authzid"
	saslInvalidMechanism  = "invalid-mechanism"
	saslMalformedRequest  = "malformed-request"
	saslNotAuthorized     = "not-authorized"
	saslTemporaryFailure  = "temporary-auth-failure"
)

// authentication is a stream's attempt to log in (RFC 6120 section 6). The client's next element is read only once the
// present one has its answer, which is why each is credited with the answer.
type authentication struct {
	tries int
	// mechanism is set between <auth/> and the end of the exchange, exchange once its first message was read.
	mechanism string
	exchange  *sasl.Server
	user      ident.UserID
	kept      *nodepb.Scram // what the password is checked against, a real user's or not
	wait      time.Duration // how long the account wants a refusal to be held back

	// due is when what is held back goes on; zero: nothing is. size is the element that waits for it.
	due     time.Time
	size    int
	refused bool // it is a refusal, and not PLAIN's turn
}

// sasl takes an element of the login.
func (st *state) sasl(fx *effects, s Stanza) {
	a := st.auth
	switch s.Elem.Name {
	case "auth":
		st.begin(fx, s)
	case "response":
		switch {
		case a.mechanism == "":
			st.failLogin(fx, s.Size, saslMalformedRequest)
		case a.exchange == nil:
			st.first(fx, s)
		default:
			st.finish(fx, s)
		}
	case "abort":
		st.failLogin(fx, s.Size, saslAborted)
	default:
		st.fail(fx, xmpp.UnsupportedStanzaType, "")
	}
}

// begin takes <auth/>. One that comes in the middle of an exchange ends it.
func (st *state) begin(fx *effects, s Stanza) {
	a, mechanism := st.auth, s.Elem.Attr("mechanism")
	switch {
	case a.mechanism != "":
		st.failLogin(fx, s.Size, saslMalformedRequest)
	case !slices.Contains(mechanisms, mechanism):
		st.failLogin(fx, s.Size, saslInvalidMechanism)
	default:
		a.mechanism = mechanism
		if s.Elem.Text() == "" {
			// All our mechanisms begin with the client. One that sent nothing yet is asked to (RFC 4422 section 5.1).
			st.challenge(fx, s.Size, nil)
			return
		}
		st.first(fx, s)
	}
}

// first takes the first message of the exchange and asks the account for the credentials of who it names.
func (st *state) first(fx *effects, s Stanza) {
	a := st.auth
	data, ok := decodeSASL(s.Elem.Text())
	if !ok {
		st.failLogin(fx, s.Size, saslIncorrectEncoding)
		return
	}
	exchange, err := sasl.Begin(a.mechanism, data)
	if err != nil {
		st.failLogin(fx, s.Size, saslMalformedRequest)
		return
	}
	user, ok := st.userOf(exchange.User)
	switch {
	case !ok:
		st.failLogin(fx, s.Size, saslNotAuthorized) // nobody can have this name, which is no secret
		return
	case exchange.Authzid != "" && !isAccount(exchange.Authzid, user):
		st.failLogin(fx, s.Size, saslInvalidAuthzid)
		return
	}
	a.exchange, a.user, st.busy = exchange, user, true
	st.insist(fx, accountOf(user), &nodepb.GetCredentials{}, readTime, func(fx *effects, v any, err error) {
		if st.phase != login || st.auth.exchange != exchange {
			return // the stream has ended
		}
		credentials, _ := v.(*nodepb.Credentials)
		if err != nil || credentials == nil {
			st.failLogin(fx, s.Size, saslTemporaryFailure)
			return
		}
		st.credentials(fx, s.Size, credentials)
	})
}

// userOf is the account of a simple user name (RFC 6120 section 6.3.7).
func (st *state) userOf(name string) (ident.UserID, bool) {
	if strings.ContainsAny(name, "@/") {
		return "", false
	}
	j, err := xmpp.ParseJID(name + "@" + st.Domain)
	return j.Bare(), err == nil
}

// isAccount reports whether an authorization identity is the account itself (RFC 6120 section 6.3.8).
func isAccount(authzid string, user ident.UserID) bool {
	j, err := xmpp.ParseJID(authzid)
	return err == nil && j.Resource == "" && j.Bare() == user
}

// credentials goes on with what the account has. For a user who isn't there, all goes as for a wrong password.
func (st *state) credentials(fx *effects, size int, c *nodepb.Credentials) {
	a := st.auth
	a.wait = time.Duration(c.GetWaitMs()) * time.Millisecond
	if a.kept = sasl.Kept(c, a.mechanism); a.kept == nil {
		a.kept = sasl.Fake(st.Secret, a.mechanism, string(a.user))
	}
	if !a.exchange.OneStep() {
		challenge, err := a.exchange.Challenge(a.kept)
		if err != nil {
			st.failLogin(fx, size, saslMalformedRequest)
			return
		}
		st.challenge(fx, size, challenge)
		return
	}
	at, ok := st.plain.turn(fx.now)
	switch {
	case !ok:
		st.Counters.LoginsSlowed.Add(1)
		st.failLogin(fx, size, saslTemporaryFailure)
	case at.After(fx.now):
		st.Counters.LoginsSlowed.Add(1)
		a.due, a.size, a.refused = at, size, false
	default:
		st.check(fx, size)
	}
}

// check decides a PLAIN exchange.
func (st *state) check(fx *effects, size int) {
	st.Counters.PlainChecks.Add(1)
	st.decided(fx, size, nil, st.auth.exchange.Check(st.auth.kept))
}

// finish takes the last message of a SCRAM exchange.
func (st *state) finish(fx *effects, s Stanza) {
	data, ok := decodeSASL(s.Elem.Text())
	if !ok {
		st.failLogin(fx, s.Size, saslIncorrectEncoding)
		return
	}
	proof, err := st.auth.exchange.Finish(data)
	st.decided(fx, s.Size, proof, err)
}

// decided ends an exchange: the stream starts anew for a client that knows the password. The account hears at once of one
// that doesn't; the client does when the account's wait is over.
func (st *state) decided(fx *effects, size int, proof []byte, err error) {
	a := st.auth
	switch {
	case errors.Is(err, sasl.ErrMalformed):
		st.failLogin(fx, size, saslMalformedRequest)
	case err != nil:
		st.Counters.LoginsFailed.Add(1)
		fx.answer(accountOf(a.user), &nodepb.LoginResult{})
		if a.wait <= 0 {
			st.failLogin(fx, size, saslNotAuthorized)
			return
		}
		st.Counters.LoginsSlowed.Add(1)
		st.busy = true
		a.due, a.size, a.refused = fx.now.Add(a.wait), size, true
	case len(st.waiting) > 0:
		st.fail(fx, xmpp.NotAuthorized, "") // written before the success was known
	default:
		st.Counters.Logins.Add(1)
		fx.answer(accountOf(a.user), &nodepb.LoginResult{Ok: true})
		fx.text("<success xmlns='" + nsSASL + "'>")
		fx.out = base64.StdEncoding.AppendEncode(fx.out, proof)
		fx.text("</success>")
		fx.credit(size)
		fx.authed, fx.restart = true, true
		st.user, st.auth, st.busy, st.phase = a.user, nil, false, reopening
	}
}

// resumeLogin goes on with what was held back.
func (st *state) resumeLogin(fx *effects) {
	a := st.auth
	a.due = time.Time{}
	switch {
	case st.phase != login:
	case a.refused:
		st.failLogin(fx, a.size, saslNotAuthorized)
	default:
		st.check(fx, a.size)
	}
}

// challenge asks the client for the next message.
func (st *state) challenge(fx *effects, size int, data []byte) {
	fx.text("<challenge xmlns='" + nsSASL + "'>")
	fx.out = base64.StdEncoding.AppendEncode(fx.out, data)
	fx.text("</challenge>")
	fx.credit(size)
	st.ready(fx)
}

// failLogin ends a try. After a few of them the stream ends, too.
func (st *state) failLogin(fx *effects, size int, condition string) {
	st.auth = &authentication{tries: st.auth.tries + 1}
	fx.text("<failure xmlns='"+nsSASL+"'><", condition, "/></failure>")
	fx.credit(size)
	if st.auth.tries >= maxTries {
		st.fail(fx, xmpp.PolicyViolation, "too many tries to log in")
		return
	}
	st.ready(fx)
}

// decodeSASL reads the base64 of RFC 6120 section 6.4.2: "=" is no data at all. Nothing but the alphabet is allowed, no
// line breaks and no bits that say nothing.
func decodeSASL(text string) ([]byte, bool) {
	if text == "=" {
		return nil, true
	}
	if strings.ContainsAny(text, "\r\n") {
		return nil, false // the decoder would skip them
	}
	data, err := base64.StdEncoding.Strict().DecodeString(text)
	return data, err == nil
}
