// Package top is the live screen of `jackdaw top`: the busiest actors of a running server and how the server does, as htop shows
// processes.
//
// [Screen] is the whole of it without a terminal: it takes measurements and keys, and draws itself as lines for a size. [TTY] is the
// terminal: it is put into raw mode, drawn on, and given back as it was, also by a panic. [Run] lets one live on the other. Nothing that
// comes from the server reaches a terminal but printable text.
package top
