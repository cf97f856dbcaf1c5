// Package extending keeps docs/EXTENDING.md true: its test follows the page from top to bottom as a reader would. It makes the files
// and edits, runs the commands, starts the server, writes to it, and compares what is printed with what the page shows. It does so in a copy of the module.
package extending
