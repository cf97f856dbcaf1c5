package testnode

import "sync"

// tailSize bounds what is kept of a process's output, in bytes.
const tailSize = 64 << 10

// tail is an io.Writer that keeps the end of what was written. Its zero value is empty.
type tail struct {
	mu struct {
		sync.Mutex
		kept []byte
	}
}

// Write implements io.Writer and never fails.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mu.kept = append(t.mu.kept, p...)
	if over := len(t.mu.kept) - tailSize; over > tailSize {
		t.mu.kept = append(t.mu.kept[:0], t.mu.kept[over:]...)
	}
	return len(p), nil
}

// String returns at most the last tailSize bytes.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.mu.kept[max(0, len(t.mu.kept)-tailSize):])
}
