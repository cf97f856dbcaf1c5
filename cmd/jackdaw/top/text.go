package top

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/width"
)

// clean makes a text safe for a terminal: what isn't printable is a question mark.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, text)
}

// cells is how many columns of a terminal a rune takes.
func cells(r rune) int {
	if unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf) {
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

func wide(text string) int {
	n := 0
	for _, r := range text {
		n += cells(r)
	}
	return n
}

// cut shortens a text to at most n columns; two dots stand for what is left out.
func cut(text string, n int) string {
	if wide(text) <= n {
		return text
	}
	const dots = ".."
	if n < len(dots) {
		return strings.Repeat(".", max(n, 0))
	}
	left := n - len(dots)
	for i, r := range text {
		if left -= cells(r); left < 0 {
			return text[:i] + dots
		}
	}
	return text
}

// pad is a text of exactly n columns.
func pad(text string, n int) string {
	text = cut(text, n)
	return text + strings.Repeat(" ", n-wide(text))
}

// right is a text at the right of n columns; one that is longer stays.
func right(text string, n int) string { return strings.Repeat(" ", max(n-wide(text), 0)) + text }

// Count is a number in at most 5 columns: 999, 1.2k, 123k, 4.5M.
func Count(n float64) string {
	if n < 9.95 && n > 0 && n != float64(int(n)) {
		return strconv.FormatFloat(n, 'f', 1, 64)
	}
	for _, unit := range []string{"", "k", "M", "G"} {
		switch {
		case n < 9.95 && unit != "":
			return strconv.FormatFloat(n, 'f', 1, 64) + unit
		case n < 999.5:
			return strconv.FormatFloat(n, 'f', 0, 64) + unit
		}
		n /= 1000
	}
	return ">1T"
}

// Bytes is a size in at most 8 columns: 999 B, 1.2 KiB, 123 MiB.
func Bytes(n int64) string {
	f := float64(n)
	for _, unit := range []string{"B", "KiB", "MiB", "GiB"} {
		switch {
		case f < 9.95 && unit != "B":
			return fmt.Sprintf("%.1f %s", f, unit)
		case f < 1023.5:
			return fmt.Sprintf("%.0f %s", f, unit)
		}
		f /= 1024
	}
	return fmt.Sprintf("%.1f TiB", f)
}

// Took is a short time in at most 6 columns: 0, 12us, 3.4ms, 12s, 5m, 3h, 12d.
func Took(us int64) string {
	d := time.Duration(us) * time.Microsecond
	f := float64(us)
	switch {
	case us <= 0:
		return "0"
	case us < 1000:
		return fmt.Sprintf("%dus", us)
	case f < 9950:
		return fmt.Sprintf("%.1fms", f/1e3)
	case us < 999_500:
		return fmt.Sprintf("%.0fms", f/1e3)
	case f < 9.95e6:
		return fmt.Sprintf("%.1fs", f/1e6)
	case d < 2*time.Minute:
		return fmt.Sprintf("%.0fs", d.Seconds())
	case d < 2*time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}

// uptime is a long time: 3d 04:05:06.
func uptime(d time.Duration) string {
	s := int(max(d, 0).Seconds())
	text := fmt.Sprintf("%02d:%02d:%02d", s/3600%24, s/60%60, s%60)
	if days := s / 86400; days > 0 {
		return fmt.Sprintf("%dd %s", days, text)
	}
	return text
}
