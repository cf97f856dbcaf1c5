package pebblestore_test

func exitOnFullDisk() bool { return false }
