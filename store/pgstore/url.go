package pgstore

import (
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"
)

// schemes are how the URLs of this engine begin.
var schemes = []string{"postgres://", "postgresql://"}

// Is reports whether a store's URL, or list of URLs, is one of this engine.
func Is(url string) bool {
	for _, s := range schemes {
		if strings.HasPrefix(url, s) {
			return true
		}
	}
	return false
}

// Split splits a list of URLs at those commas behind which another URL begins: a URL may itself hold commas, between the hosts
// on which its database may be found.
func Split(list string) []string {
	var urls []string
	for part := range strings.SplitSeq(list, ",") {
		if part = strings.TrimSpace(part); len(urls) == 0 || Is(part) {
			urls = append(urls, part)
		} else {
			urls[len(urls)-1] += "," + part
		}
	}
	return urls
}

// CheckURLs says what is wrong with how the URLs of a store are written: of a list, and of the directory, which may be empty. It connects
// to nobody. The error doesn't show them.
func CheckURLs(list, directory string) error {
	_, err := prepare(list, Options{Directory: directory})
	return err
}

// Redact returns a list of URLs as it may be shown: hosts and databases, nothing else. What isn't a URL of this engine is
// not shown at all, because nobody knows where its password is.
func Redact(list string) string {
	var shown []string
	for _, url := range Split(list) {
		shown = append(shown, redact(url))
	}
	return strings.Join(shown, ",")
}

func redact(url string) string {
	c, err := pgxpool.ParseConfig(url)
	if err != nil || !Is(url) {
		return "(not a URL of PostgreSQL)"
	}
	return place(c)
}

// place is where a database is, without who asks and how.
func place(c *pgxpool.Config) string {
	pc := &c.ConnConfig.Config
	hosts := []string{net.JoinHostPort(pc.Host, strconv.Itoa(int(pc.Port)))}
	for _, f := range pc.Fallbacks {
		// With some settings of sslmode each host is there twice, with and without TLS.
		if h := net.JoinHostPort(f.Host, strconv.Itoa(int(f.Port))); h != hosts[len(hosts)-1] {
			hosts = append(hosts, h)
		}
	}
	return "postgres://" + strings.Join(hosts, ",") + "/" + pc.Database
}

// parse reads a URL. The error doesn't show it.
func parse(url string) (*pgxpool.Config, error) {
	if !Is(url) {
		return nil, fmt.Errorf("pgstore: the URL of a store begins with %s", schemes[0])
	}
	c, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("pgstore: a store's URL can't be read: %w", err) // pgx takes the password out
	}
	if c.ConnConfig.Database == "" {
		return nil, fmt.Errorf("pgstore: %s names no database", place(c))
	}
	return c, nil
}
