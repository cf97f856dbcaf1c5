// Package archtest holds the rules of the code as plain Go tests: which package may import which, how long a file, a function
// and an interface may be, what has to be documented and tested, and where a goroutine may start.
//
// The levels of the import table are read from docs/ARCHITECTURE.md, so that the page and the rule can't differ. Every other rule
// stands in the file named after it. A rule is a function from a [Tree], the parsed source, to its [Finding]s: each says the
// rule, the place and the reason. The rules are tested against small trees in memory, each with one planted violation.
//
// Generated files are excepted from all rules.
package archtest
