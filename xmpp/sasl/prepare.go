package sasl

import (
	"errors"
	"unicode/utf8"

	"github.com/xdg-go/stringprep"
	"golang.org/x/text/secure/precis"
)

// ErrPassword says that a text can't be a password: it is empty, or has control or unassigned characters. It doesn't say
// which, since errors are logged.
var ErrPassword = errors.New("sasl: not a usable password")

// prepare returns the one form of a password that keys are derived from.
func prepare(password string) (string, error) {
	if !utf8.ValidString(password) {
		return "", ErrPassword
	}
	prepared, err := stringprep.SASLprep.Prepare(password)
	if err != nil {
		prepared, err = precis.OpaqueString.String(password)
	}
	if err != nil || prepared == "" {
		return "", ErrPassword
	}
	return prepared, nil
}

// prepareUser is for the client's side only: the server brings names into form itself, and knows scripts that SASLprep
// doesn't.
func prepareUser(user string) string {
	if prepared, err := stringprep.SASLprep.Prepare(user); err == nil {
		return prepared
	}
	return user
}
