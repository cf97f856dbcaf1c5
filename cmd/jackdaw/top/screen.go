package top

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackdaw-im/jackdaw/proto/adminpb"
)

// Style is how a whole line looks.
type Style uint8

// The styles.
const (
	Plain Style = iota
	Bold
	Reverse
)

// Line is one line of a screen.
type Line struct {
	Text  string
	Style Style
}

// Screen is what is shown, without a terminal. It belongs to one goroutine. Its zero value shows that nothing has come yet.
type Screen struct {
	top    *adminpb.Top
	sort   Key // one of the four; NoKey is SortQueue
	offset int // rows that are scrolled away
	rows   int // rows of actors on the last drawing
	paused bool
	late   time.Duration // how long the server has owed an answer
}

// Take takes the next measurement and fills its rates. While it is paused the screen stays as it is.
func (s *Screen) Take(top *adminpb.Top) {
	s.late = 0
	if s.paused {
		return
	}
	if s.top != nil {
		Rates(top, s.top)
	}
	s.top = top
}

// Waits says how long the server has owed an answer.
func (s *Screen) Waits(d time.Duration) { s.late = d }

// Press takes a key and reports whether it was Quit.
func (s *Screen) Press(k Key) (quit bool) {
	page := max(s.rows-1, 1)
	switch k {
	case SortQueue, SortAge, SortMessages, SortRestarts:
		s.sort, s.offset = k, 0
	case Pause:
		s.paused = !s.paused
	case Up:
		s.offset--
	case Down:
		s.offset++
	case PageUp:
		s.offset -= page
	case PageDown:
		s.offset += page
	case Home:
		s.offset = 0
	case End:
		s.offset = len(s.top.GetActors())
	}
	s.offset = max(0, min(s.offset, len(s.top.GetActors())-1))
	return k == Quit
}

// Lines draws the screen: height lines of at most width columns. A width of 0 cuts nothing off; a height of 0 shows all actors, and no
// keys.
func (s *Screen) Lines(width, height int) []Line {
	lines := s.header(width)
	head, actors := s.table(width)
	lines = append(lines, Line{}, head)
	if height > 0 {
		s.rows = max(height-len(lines)-1, 0)
		s.offset = max(0, min(s.offset, len(actors)-s.rows))
		actors = actors[s.offset:min(s.offset+s.rows, len(actors))]
	}
	lines = append(lines, actors...)
	if height > 0 {
		for len(lines) < height-1 {
			lines = append(lines, Line{})
		}
		lines = append(lines[:min(len(lines), height-1)], Line{s.footer(), Reverse})
	}
	for i := range lines {
		if width > 0 {
			lines[i].Text = cut(lines[i].Text, width)
		}
		lines[i].Text = strings.TrimRight(lines[i].Text, " ")
	}
	return lines
}

func (s *Screen) footer() string {
	text := " Sort: q)ueue a)ge m)essages r)estarts   p)ause  j k scroll  x quit"
	if s.offset > 0 {
		text += fmt.Sprintf("  %d above", s.offset)
	}
	return text
}

// header is what is told of the server as a whole.
func (s *Screen) header(width int) []Line {
	t := s.top
	if t == nil {
		return []Line{{s.mood() + "jackdaw: nothing measured yet", Bold}}
	}
	at := time.UnixMicro(t.GetTime())
	name := fmt.Sprintf("jackdaw %s  %s  %s  up %s", clean(t.GetVersion()), clean(t.GetDomain()), clean(t.GetNode()),
		uptime(at.Sub(time.UnixMicro(t.GetStarted()))))
	return []Line{
		{s.mood() + name, Bold},
		{s.kinds(width), Plain},
		{s.load(), Plain},
		{fmt.Sprintf("memory  rss %s   heap %s   goroutines %s", Bytes(t.GetRssBytes()), Bytes(t.GetHeapBytes()), Count(float64(t.GetGoroutines()))), Plain},
		{fmt.Sprintf("gc      %s/s   cpu %.1f%%   pause p99 %s   %s in all", Count(t.GetGcPerSecond()), 100*t.GetGcCpuShare(),
			Took(t.GetGcPauseUs()), Count(float64(t.GetGcCycles()))), Plain},
		{fmt.Sprintf("faults  restarts %s   overloads %s   dead letters %s", Count(float64(t.GetRestarts())), Count(float64(t.GetOverloads())),
			Count(float64(t.GetDeadLetters()))), Plain},
	}
}

// load is what the workers do.
func (s *Screen) load() string {
	t := s.top
	text := fmt.Sprintf("load    %s msg/s   cpu %.0f%%", Count(t.GetMessagesPerSecond()), 100*t.GetCpuShare())
	if n := t.GetRunQueue(); n >= 0 {
		text += "   run queue " + Count(float64(n))
	}
	return text + fmt.Sprintf("   workers %d+%d spare   stuck %s", t.GetWorkers(), t.GetSpares(), Count(float64(t.GetStuck())))
}

// mood is what is unusual about the screen itself.
func (s *Screen) mood() string {
	text := ""
	if s.paused {
		text += "PAUSED  "
	}
	if s.late > 0 {
		text += fmt.Sprintf("NO ANSWER FOR %s  ", Took(s.late.Microseconds()))
	}
	return text
}

// kinds are the live actors by kind, those that there are most of first, as many as have room.
func (s *Screen) kinds(width int) string {
	kinds := slices.DeleteFunc(slices.Clone(s.top.GetKinds()), func(k *adminpb.KindLoad) bool { return k.GetLive() == 0 })
	slices.SortFunc(kinds, func(a, b *adminpb.KindLoad) int {
		return cmp.Or(cmp.Compare(b.GetLive(), a.GetLive()), cmp.Compare(a.GetKind(), b.GetKind()))
	})
	all := int64(0)
	for _, k := range kinds {
		all += k.GetLive()
	}
	text := fmt.Sprintf("actors  %s", Count(float64(all)))
	for i, k := range kinds {
		sep := ", "
		if i == 0 {
			sep = ": "
		}
		next := fmt.Sprintf("%s%s %s", sep, clean(k.GetKind()), Count(float64(k.GetLive())))
		more := ""
		if left := len(kinds) - i - 1; left > 0 {
			more = fmt.Sprintf(", %d more", left)
		}
		if width > 0 && wide(text+next+more) > width {
			return text + fmt.Sprintf("%s%d more", sep, len(kinds)-i)
		}
		text += next
	}
	return text
}
