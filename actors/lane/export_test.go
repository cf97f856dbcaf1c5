package lane

import "github.com/jackdaw-im/jackdaw/store"

// ReloadTime is after how long a mailbox that hasn't answered is asked again.
const ReloadTime = reloadTime

// Spread counts the partitions of each lane of an engine.
func Spread(engine store.Engine, mail int) map[int]int {
	seen := map[int]int{}
	for _, l := range placesOf(engine, mail).mail {
		seen[int(l)]++
	}
	return seen
}
