package trust

import (
	"encoding/base64"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestToken(t *testing.T) {
	b := must(t)(newBundle(t, epoch).AddAuthority("ada", epoch))
	token, err := b.NewToken(TokenLife, epoch)
	if err != nil {
		t.Fatal(err)
	}
	back, err := ParseToken("  " + token.Text() + "\n")
	if err != nil || !reflect.DeepEqual(token, back) {
		t.Fatalf("%v, %v", back, err)
	}
	if !reflect.DeepEqual(back.Pins, b.Pins()) || len(token.Text()) > 250 {
		t.Errorf("%d characters, %d pins", len(token.Text()), len(back.Pins))
	}
	other, err := newBundle(t, epoch).NewToken(TokenLife, epoch)
	if err != nil {
		t.Fatal(err)
	}
	forged := token
	forged.Expires = forged.Expires.Add(time.Hour)
	pinned := token
	pinned.Pins = other.Pins
	posing := other
	posing.Cluster = token.Cluster
	rotated := b.RotateToken("ada", epoch)
	for _, c := range []struct {
		name  string
		b     *Bundle
		token Token
		after time.Duration
		want  error
	}{
		{"good", b, token, 0, nil},
		{"in its last second", b, token, TokenLife, nil},
		{"by a clock that is ahead", b, token, TokenLife + TokenSkew, nil},
		{"by a clock that is behind", b, token, -time.Hour, nil},
		{"expired", b, token, TokenLife + TokenSkew + time.Second, ErrTokenExpired},
		{"of another cluster", b, other, 0, ErrOtherCluster},
		{"of another cluster and expired", b, other, 24 * time.Hour, ErrOtherCluster},
		{"of another cluster, posing", b, posing, 0, ErrTokenVoid},
		{"made to last longer", b, forged, 0, ErrTokenVoid},
		{"with other pins", b, pinned, 0, ErrTokenVoid},
		{"after a rotation", rotated, token, 0, ErrTokenVoid},
		{"of nothing", b, Token{}, 0, ErrOtherCluster},
	} {
		err := c.b.CheckToken(c.token, epoch.Add(c.after))
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), c.token.Text()) {
			t.Errorf("%s: the error shows the token", c.name)
		}
	}
	for _, life := range []time.Duration{0, -time.Hour, time.Minute - 1, MaxTokenLife + 1} {
		if _, err := b.NewToken(life, epoch); err == nil {
			t.Errorf("a token for %v", life)
		}
	}
}

func TestMalformedTokens(t *testing.T) {
	token, err := newBundle(t, epoch).NewToken(TokenLife, epoch)
	if err != nil {
		t.Fatal(err)
	}
	good := token.Text()
	bad := []string{"", "jackdaw1.", "jackdaw2." + good[9:], good[:len(good)-1], good[1:], good + "A", good + "=", "jackdaw1." + strings.Repeat("A", maxToken+1),
		strings.Replace(good, good[20:30], good[21:30]+good[20:21], 1) + "", "Jackdaw1." + good[9:]}
	raw, err := base64.RawURLEncoding.DecodeString(good[len(tokenPrefix):])
	if err != nil {
		t.Fatal(err)
	}
	for i := range raw { // one bit of each byte
		raw[i] ^= 1
		bad = append(bad, tokenPrefix+base64.RawURLEncoding.EncodeToString(raw))
		raw[i] ^= 1
	}
	for _, text := range bad {
		if got, err := ParseToken(text); !errors.Is(err, ErrTokenMalformed) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

func FuzzParseToken(f *testing.F) {
	b := newBundle(f, epoch)
	for _, b := range []*Bundle{b, must(f)(b.Revoke("eve", "ada", epoch))} {
		token, err := b.NewToken(TokenLife, epoch)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(token.Text())
	}
	f.Add("jackdaw1.")
	f.Fuzz(func(t *testing.T, text string) {
		token, err := ParseToken(text)
		if err != nil {
			if !errors.Is(err, ErrTokenMalformed) {
				t.Errorf("%v", err)
			}
			return
		}
		if again, err := ParseToken(token.Text()); err != nil || !reflect.DeepEqual(token, again) {
			t.Errorf("%v, %v", again, err)
		}
		_ = b.CheckToken(token, epoch)
	})
}
