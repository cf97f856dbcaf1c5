// Package golden compares what a test has made with files that hold what is wanted.
//
// In a test that imports it, go test -update writes the files instead.
package golden
