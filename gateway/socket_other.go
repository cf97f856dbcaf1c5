//go:build !unix

package gateway

import "errors"

const canWriteNow = false

func writeFD(uintptr, []byte) (int, error) { return 0, errors.ErrUnsupported }
