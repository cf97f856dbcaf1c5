// Package storetest is the conformance suite of stores: what package store says in words, as tests. Every engine runs it:
//
//	func TestMain(m *testing.M) { storetest.Main(m, openFolder) }
//
//	func TestConformance(t *testing.T) { storetest.Run(t, openEmpty) }
//	func TestHistories(t *testing.T)   { storetest.Histories(t, openEmpty, newMemstore) }
//	func TestKill(t *testing.T)        { storetest.Kill(t, openFolder, 5) }
//
// Run needs an engine only. Kill needs one that lives in a folder, and a TestMain, since it kills a real process.
// PowerLoss needs one whose files can be thrown back to what had reached the disk.
package storetest
