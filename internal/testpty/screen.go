package testpty

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Screen is what a terminal shows, as far as it understands: text, carriage return and line feed, and of ECMA-48 the cursor's home,
// erasing, and the alternate screen with its cursor. What it doesn't understand it notes. The zero value is of no size.
type Screen struct {
	// Alternate says that the other screen is shown, Cursor that there is one.
	Alternate, Cursor bool
	// Unknown are the sequences that it doesn't understand.
	Unknown []string

	width, height int
	rows          [][]rune
	x, y          int
	rest          []byte // of a sequence or a letter that has not come whole

	saved struct { // while the other screen is shown
		rows [][]rune
		x, y int
	}
}

// NewScreen is an empty one.
func NewScreen(width, height int) *Screen {
	s := &Screen{Cursor: true}
	s.Resize(width, height)
	return s
}

// Resize makes it another size and keeps what has room.
func (s *Screen) Resize(width, height int) {
	rows := make([][]rune, height)
	for y := range rows {
		rows[y] = []rune(strings.Repeat(" ", width))
		if y < len(s.rows) {
			copy(rows[y], s.rows[y])
		}
	}
	s.width, s.height, s.rows = width, height, rows
	s.x, s.y = min(s.x, width-1), min(s.y, height-1)
}

// Lines are what is to be read, without the blanks at the end of each.
func (s *Screen) Lines() []string {
	var lines []string
	for _, r := range s.rows {
		lines = append(lines, strings.TrimRight(string(r), " "))
	}
	return lines
}

// Write implements io.Writer and never fails.
func (s *Screen) Write(p []byte) (int, error) {
	in := append(s.rest, p...)
	for len(in) > 0 {
		n := s.next(in)
		if n == 0 {
			break
		}
		in = in[n:]
	}
	s.rest = slices.Clone(in)
	return len(p), nil
}

// next takes one letter or sequence and returns its length, 0 if it hasn't come whole.
func (s *Screen) next(in []byte) int {
	switch in[0] {
	case '\r':
		s.x = 0
		return 1
	case '\n':
		if s.y == s.height-1 {
			s.rows = append(s.rows[1:], []rune(strings.Repeat(" ", s.width)))
		} else {
			s.y++
		}
		return 1
	case 27:
		return s.escape(in)
	}
	if !utf8.FullRune(in) {
		return 0
	}
	r, n := utf8.DecodeRune(in)
	if s.x < s.width {
		s.rows[s.y][s.x] = r
		s.x++
	}
	return n
}

func (s *Screen) escape(in []byte) int {
	if len(in) < 2 {
		return 0
	}
	if in[1] != '[' {
		s.Unknown = append(s.Unknown, string(in[:2]))
		return 2
	}
	end := slices.IndexFunc(in[2:], func(b byte) bool { return b >= 0x40 && b <= 0x7e })
	if end < 0 {
		return 0
	}
	sequence := string(in[2 : 2+end+1])
	switch sequence {
	case "H":
		s.x, s.y = 0, 0
	case "K":
		s.blank(s.y, s.x)
	case "J":
		s.blank(s.y, s.x)
		for y := s.y + 1; y < s.height; y++ {
			s.blank(y, 0)
		}
	case "2J":
		for y := range s.rows {
			s.blank(y, 0)
		}
	case "?1049h", "?1049l":
		s.alternate(sequence == "?1049h")
	case "?25h", "?25l":
		s.Cursor = sequence == "?25h"
	case "?7h", "?7l": // wrapping, of which there is none here
	default:
		if !colour(sequence) {
			s.Unknown = append(s.Unknown, sequence)
		}
	}
	return 2 + end + 1
}

// alternate goes to the other screen, or back to the first, which is as it was.
func (s *Screen) alternate(on bool) {
	if on == s.Alternate {
		return
	}
	s.Alternate = on
	if on {
		s.saved.rows, s.saved.x, s.saved.y = s.rows, s.x, s.y
		s.rows = nil
	} else {
		s.rows, s.x, s.y = s.saved.rows, s.saved.x, s.saved.y
	}
	s.Resize(s.width, s.height)
}

// colour reports whether a sequence changes how text looks.
func colour(sequence string) bool {
	numbers, ok := strings.CutSuffix(sequence, "m")
	for n := range strings.SplitSeq(numbers, ";") {
		if _, err := strconv.Atoi(n); err != nil && n != "" {
			return false
		}
	}
	return ok
}

func (s *Screen) blank(y, from int) {
	for x := from; x < s.width; x++ {
		s.rows[y][x] = ' '
	}
}
