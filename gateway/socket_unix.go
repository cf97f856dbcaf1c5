//go:build unix

package gateway

import (
	"errors"
	"syscall"
)

const canWriteNow = true

// writeFD writes once; a full socket buffer is no error but zero bytes.
func writeFD(fd uintptr, p []byte) (int, error) {
	for {
		n, err := syscall.Write(int(fd), p)
		switch {
		case err == nil:
			return n, nil
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EAGAIN):
			return 0, nil
		default:
			return 0, err
		}
	}
}
