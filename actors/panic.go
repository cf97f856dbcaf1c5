package actors

import (
	"fmt"
	"runtime"
	"strings"
)

// maxFrames is how much of the stack of a panic is kept.
const maxFrames = 32

// panicked is a recovered panic, as the reason of a crash. Its stack is written out only when somebody reads it: a crash is not to
// cost more than the restart that follows.
type panicked struct {
	err    error
	frames []uintptr
}

// panicError is called by the deferred function that has recovered v.
func panicError(v any) error {
	err, ok := v.(error)
	if !ok {
		err = fmt.Errorf("%v", v)
	}
	var pcs [maxFrames]uintptr
	n := runtime.Callers(3, pcs[:])
	return &panicked{err, append([]uintptr(nil), pcs[:n]...)}
}

// Error writes the panic and, a line a call, where it came from.
func (p *panicked) Error() string {
	var sb strings.Builder
	fmt.Fprintf(&sb, "panic: %v", p.err)
	frames := runtime.CallersFrames(p.frames)
	for {
		f, more := frames.Next()
		if f.Function != "" && !strings.HasPrefix(f.Function, "runtime.") {
			fmt.Fprintf(&sb, "\n\t%s (%s:%d)", f.Function, f.File, f.Line)
		}
		if !more {
			return sb.String()
		}
	}
}

// Unwrap returns the value of the panic, if it was an error.
func (p *panicked) Unwrap() error { return p.err }
