// Package testpty gives tests a terminal: a pseudo-terminal of the system with somebody at its other end who types, resizes it, and
// sees what is on the screen. It is there on Linux.
package testpty
