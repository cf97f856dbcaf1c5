// Package memstore is a store that forgets everything when its process ends: for tests, examples and trials. It does
// what package store says in the plainest way, one lock around maps, and is the model that storetest compares the other
// engines with.
package memstore
