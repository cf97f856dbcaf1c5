package xmpp

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/secure/precis"

	"github.com/jackdaw-im/jackdaw/ident"
)

// maxPart is how many bytes each part of an address may have (RFC 7622 section 3.1).
const maxPart = 1023

// JID is an address, local@domain/resource (RFC 7622), in its normalised form: two spellings of one address are one JID.
// Local and Resource may be empty.
type JID struct{ Local, Domain, Resource string }

// Errors of ParseJID.
var (
	errEmptyPart = errors.New("an empty part")
	errLongPart  = errors.New("a part of more than 1023 bytes")
	errEncoded   = errors.New("bytes that are not UTF-8")
	errUnstable  = errors.New("a spelling that can't be normalised")
	errLocal     = errors.New("a character not allowed before the @")
	errDomain    = errors.New("no domain name or address")
	errResource  = errors.New("a character not allowed in a resource")
)

// ParseJID reads an address and normalises it: the local part by PRECIS' UsernameCaseMapped, the domain by IDNA2008 with
// its labels in Unicode, the resource by OpaqueString. One that is in ASCII and normalised already costs no allocation, and
// shares s.
func ParseJID(s string) (JID, error) {
	var j JID
	rest, resource, hasResource := strings.Cut(s, "/")
	local, domain, hasLocal := strings.Cut(rest, "@")
	if !hasLocal {
		local, domain = "", rest
	}
	var err error
	if j.Domain, err = part(domain, normalDomain); err != nil {
		return JID{}, jidError(s, err)
	}
	if hasLocal {
		if j.Local, err = part(local, normalLocal); err != nil {
			return JID{}, jidError(s, err)
		}
	}
	if hasResource {
		if j.Resource, err = part(resource, normalResource); err != nil {
			return JID{}, jidError(s, err)
		}
	}
	return j, nil
}

func jidError(s string, err error) error {
	if len(s) > 64 {
		s = s[:64] + "..."
	}
	return fmt.Errorf("xmpp: %q is no address: %w", s, err)
}

// Bare returns the user that the address belongs to, or the domain if there is no local part.
func (j JID) Bare() ident.UserID {
	if j.Local == "" {
		return ident.UserID(j.Domain)
	}
	return ident.UserID(j.Local + "@" + j.Domain)
}

// String returns the address as ParseJID reads it.
func (j JID) String() string {
	s := string(j.Bare())
	if j.Resource != "" {
		s += "/" + j.Resource
	}
	return s
}

// part normalises one part and checks its length before, to bound the work, and after.
func part(s string, normal func(string) (string, error)) (string, error) {
	if len(s) > maxPart {
		return "", errLongPart
	}
	if s == "" {
		return "", errEmptyPart
	}
	if !utf8.ValidString(s) {
		return "", errEncoded
	}
	s, err := normal(s)
	switch {
	case err != nil:
		return "", err
	case s == "":
		return "", errEmptyPart
	case len(s) > maxPart:
		return "", errLongPart
	}
	return s, nil
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// normalLocal is RFC 7622 section 3.3. Mapping can produce characters that aren't allowed, so they are looked for after it.
func normalLocal(s string) (string, error) {
	if ascii(s) {
		s = strings.ToLower(s)
	} else {
		mapped, err := stable(precis.UsernameCaseMapped.String, s)
		if err != nil {
			return "", err
		}
		s = mapped
	}
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c == 0x7f || strings.IndexByte("\"&'/:<>@", c) >= 0 {
			return "", errLocal
		}
	}
	return s, nil
}

// normalResource is RFC 7622 section 3.4.
func normalResource(s string) (string, error) {
	if !ascii(s) {
		return stable(precis.OpaqueString.String, s)
	}
	for i := range len(s) {
		if s[i] < ' ' || s[i] == 0x7f {
			return "", errResource
		}
	}
	return s, nil
}

// stable applies a mapping and refuses what it would change again: an address must be the same however often it is read.
func stable(mapping func(string) (string, error), s string) (string, error) {
	once, err := mapping(s)
	if err != nil {
		return "", err
	}
	if again, err := mapping(once); err != nil || again != once {
		return "", errUnstable
	}
	return once, nil
}

// names is IDNA2008 with the mapping of UTS 46, strict about what a label may be made of.
var names = idna.New(idna.MapForLookup(), idna.Transitional(false), idna.BidiRule(), idna.CheckHyphens(true), idna.CheckJoiners(true),
	idna.StrictDomainName(true), idna.ValidateLabels(true))

// normalDomain is RFC 7622 section 3.2: a domain name or an IP address.
func normalDomain(s string) (string, error) {
	if s[0] == '[' {
		return normalAddress(s)
	}
	s = strings.TrimSuffix(s, ".")
	if !ascii(s) || strings.Contains(strings.ToLower(s), "xn--") {
		mapped, err := stable(names.ToUnicode, s)
		if err != nil {
			return "", err
		}
		s = mapped
	}
	for rest, more := s, true; more; {
		var label string
		label, rest, more = strings.Cut(rest, ".")
		if !validLabel(label) {
			return "", errDomain
		}
	}
	if ascii(s) {
		s = strings.ToLower(s)
	}
	return s, nil
}

// validLabel checks a label's length and the ASCII in it. IDNA has checked the rest.
func validLabel(s string) bool {
	if s == "" || len(s) > 63 && ascii(s) || s[0] == '-' || s[len(s)-1] == '-' || len(s) > 3 && s[2:4] == "--" {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c >= utf8.RuneSelf, c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-':
		default:
			return false
		}
	}
	return true
}

// normalAddress reads an IPv6 address in brackets.
func normalAddress(s string) (string, error) {
	inner, ok := strings.CutSuffix(s[1:], "]")
	if !ok {
		return "", errDomain
	}
	a, err := netip.ParseAddr(inner)
	if err != nil || !a.Is6() || a.Zone() != "" {
		return "", errDomain
	}
	return "[" + a.String() + "]", nil
}
