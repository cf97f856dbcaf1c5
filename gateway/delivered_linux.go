package gateway

import "golang.org/x/sys/unix"

// unacked is how many bytes written to the socket the peer's system has not acknowledged (tcp(7), SIOCOUTQ).
func (s *socket) unacked() (n int, known bool) {
	if s.raw == nil {
		return 0, false
	}
	err := s.raw.Control(func(fd uintptr) {
		var e error
		n, e = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ)
		known = e == nil
	})
	return n, known && err == nil
}
