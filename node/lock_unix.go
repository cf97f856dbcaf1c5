//go:build unix

package node

import (
	"os"
	"syscall"
)

// lockFile takes the file's lock for this process, until the file is closed or the process ends.
func lockFile(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }
