package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// day is what d stands for in a duration: 24 hours, whatever the clocks do.
const day = 24 * time.Hour

// ParseDuration reads a duration as an operator writes it: as time.ParseDuration does, and with days in front of all else, as in 30d or
// 1d12h.
func ParseDuration(text string) (time.Duration, error) {
	bad := fmt.Errorf("%q is not a duration such as 30s, 15m or 30d", text)
	rest, minus := strings.CutPrefix(text, "-")
	days, rest, ok := strings.Cut(rest, "d")
	if !ok {
		d, err := time.ParseDuration(text)
		if err != nil {
			return 0, bad
		}
		return d, nil
	}
	if strings.Trim(days, "0123456789.") != "" { // of numbers, ParseFloat takes all that Go knows
		return 0, bad
	}
	n, err := strconv.ParseFloat(days, 64)
	if err != nil || n*float64(day) >= math.MaxInt64 {
		return 0, bad
	}
	d := time.Duration(math.Round(n * float64(day)))
	if rest != "" {
		more, err := time.ParseDuration(rest)
		if err != nil || more < 0 || strings.HasPrefix(rest, "+") || d+more < d {
			return 0, bad
		}
		d += more
	}
	if minus {
		d = -d
	}
	return d, nil
}
