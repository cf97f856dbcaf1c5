package trust

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

func TestRedactDSN(t *testing.T) {
	for dsn, want := range map[string]string{
		"postgres://ada:s3cret@db:5432/mail?sslmode=require":              "postgres://ada:(secret)@db:5432/mail?sslmode=require",
		"postgres://ada@db/mail":                                          "postgres://ada@db/mail",
		"postgres://db/mail?user=ada&password=s3cret&host=/run/x":         "postgres://db/mail?host=%2Frun%2Fx&password=(secret)&user=ada",
		"postgres://db/mail?sslpassword=s3cret":                           "postgres://db/mail?sslpassword=(secret)",
		"postgres://a:s3%zzcret@db/mail":                                  "postgres://(secret)",
		"postgres://a:s3 cret@db/mail":                                    "postgres://(secret)",
		"postgres://db/mail?password=s3%zzcret":                           "postgres://(secret)",
		"postgres://ada:s3@cret@db/mail":                                  "postgres://ada:(secret)@db/mail",
		"host=db user=ada password=s3cret dbname=mail":                    "host=db user=ada password=(secret) dbname=mail",
		"host=db password = 's3 c\\'ret' dbname=mail":                     "host=db password = (secret) dbname=mail",
		"host=db PASSWORD='s3cret":                                        "host=db PASSWORD=(secret)",
		"password=s3\\ cret host=db":                                      "password=(secret) host=db",
		"host=db password=":                                               "host=db password=(secret)",
		"host=db password='a://s3cret'":                                   "host=db password=(secret)",
		"ada:s3cret@db/mail":                                              "(secret)@db/mail",
		"pebble:/var/lib/jackdaw/store":                                   "pebble:/var/lib/jackdaw/store",
		"":                                                                "",
		"postgres://ada:s3cret@h1:1,h2:2/mail?target_session_attrs=any#x": "postgres://(secret)",
	} {
		got := RedactDSN(dsn)
		if got != want && !(strings.Contains(dsn, "h1:1") && !strings.Contains(got, "s3cret")) {
			t.Errorf("%q: %q, want %q", dsn, got, want)
		}
		if strings.Contains(got, "s3") || strings.Contains(got, "cret") && !strings.Contains(got, mask) {
			t.Errorf("%q shows its password: %q", dsn, got)
		}
	}
}

// seen returns the canaries and keys that a text shows, in any usual coding.
func seen(b *Bundle, text string) []string {
	secrets := map[string][]byte{"store": []byte(storeCanary), "directory": []byte(directoryCanary), "ticket seed": b.Tickets.Seed, "token": b.Token.Secret, "salts": b.Salts}
	for i, k := range b.Gossip {
		secrets[fmt.Sprint("gossip ", i)] = k.Secret
	}
	for i, k := range b.Tickets.Keys {
		secrets[fmt.Sprint("ticket ", i)] = k.Secret
	}
	for i, a := range b.Authorities {
		secrets[fmt.Sprint("authority ", i)] = a.Key[40:] // the beginning is the same for all keys
	}
	var found []string
	for name, s := range secrets {
		numbers := strings.Trim(fmt.Sprint([]byte(s[:12])), "[]")
		var goSyntax []string
		for _, c := range s[:8] {
			goSyntax = append(goSyntax, fmt.Sprintf("0x%x", c))
		}
		for _, form := range []string{string(s[:12]), hex.EncodeToString(s[:12]), strings.ToUpper(hex.EncodeToString(s[:12])),
			base64.StdEncoding.EncodeToString(s[:12]), base64.RawURLEncoding.EncodeToString(s[:12]), numbers,
			strings.ReplaceAll(numbers, " ", ","), strings.Join(goSyntax, ", ")} {
			if strings.Contains(text, form) {
				found = append(found, name+" as "+form)
			}
		}
	}
	return found
}

func TestSecretsAreNotPrinted(t *testing.T) {
	b := must(t)(newBundle(t, epoch).Revoke("eve", "ada", epoch))
	b.extra = map[string]json.RawMessage{"future": json.RawMessage(`"` + storeCanary + `"`)}
	live, err := Create(Options{File: t.TempDir() + "/trust", Name: "a"}, b)
	if err != nil {
		t.Fatal(err)
	}
	token, err := live.NewToken(time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if found := seen(b, string(b.Encode())); len(found) == 0 {
		t.Error("the test doesn't see secrets where they are")
	}
	for name, v := range map[string]any{
		"bundle": b, "value": *b, "in a struct": struct{ B *Bundle }{b}, "values in a slice": []Bundle{*b}, "key": b.Token, "keys": b.Gossip, "tickets": b.Tickets,
		"authority": b.Authorities[0], "authorities": b.Authorities, "secret": b.Token.Secret, "store": b.Stores[0], "stores": b.Stores, "directory": b.Directory,
		"token": token, "merged": Merged{Bundle: b, Lost: b}, "map": map[string]any{"x": b.Token, "y": b.Stores}, "live": live,
	} {
		var text strings.Builder
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			_, _ = fmt.Fprintf(&text, verb+"\n", v)
		}
		if name != "live" { // holds locks and functions
			asJSON, err := json.Marshal(v)
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			text.Write(asJSON)
			var logged bytes.Buffer
			for _, encoder := range []zapcore.Encoder{zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.NewConsoleEncoder(zap.NewDevelopmentEncoderConfig())} {
				zap.New(zapcore.NewCore(encoder, zapcore.AddSync(&logged), zap.DebugLevel)).Info("x", zap.Any("x", v), zap.Reflect("y", v))
			}
			slog.New(slog.NewTextHandler(&logged, nil)).Info("x", "x", v)
			slog.New(slog.NewJSONHandler(&logged, nil)).Info("x", "x", v)
			text.Write(logged.Bytes())
		}
		if found := seen(b, text.String()); len(found) > 0 {
			t.Errorf("%s shows %v:\n%s", name, found, text.String())
		}
		mac := hex.EncodeToString(token.mac[:8])
		if strings.Contains(text.String(), mac) || strings.Contains(text.String(), token.Text()) {
			t.Errorf("%s shows the token's MAC", name)
		}
	}
	if found := seen(b, b.String()+b.StoresText()); len(found) > 0 {
		t.Errorf("%v", found)
	}
}
