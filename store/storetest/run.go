package storetest

import "testing"

// Run runs the suite; each test gets a store of its own.
func Run(t *testing.T, open Open) {
	for _, c := range []struct {
		name string
		test func(*testing.T, *Fixture)
	}{
		{"append is insert if absent", testIdempotent},
		{"a batch with one message twice", testTwiceInBatch},
		{"order", testOrder},
		{"rows say what was stored", testRows},
		{"bodies", testBodies},
		{"bodies that come with a load", testPage},
		{"mailboxes are apart", testApart},
		{"acks of several devices", testAcks},
		{"acks in the batch of their append", testAcksInBatch},
		{"acks of what is not there", testAcksOfNothing},
		{"expiry", testExpiry},
		{"expiry by partitions and pages", testExpiryPages},
		{"purge", testPurge},
		{"invalid items", testInvalid},
		{"claims of a store that nobody shares", testClaims},
		{"accounts", testAccounts},
		{"import of accounts", testImport},
		{"list of accounts", testList},
		{"removal of an account", testRemove},
		{"devices", testDevices},
		{"rosters", testRosters},
		{"blocks", testBlocks},
		{"what a mailbox asks", testMailboxInfo},
		{"groups", testGroups},
		{"members in pages", testMembers},
		{"group log", testGroupLog},
		{"group log, done", testGroupDone},
		{"group log, pending", testPending},
		{"export", testExport},
		{"walk over everything", testWalk},
		{"mail of a backup", testRestored},
		{"concurrent commits", testConcurrent},
		{"concurrent changes", testConcurrentChanges},
		{"full disk", testFull},
		{"reopen", testReopen},
		{"closed", testClosed},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
}
