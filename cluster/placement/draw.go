package placement

import (
	"math/bits"
	"sync"

	"github.com/cespare/xxhash/v2"
)

// seed keeps placement apart from every other use of the hash: with that of partitions or of maps, what falls to one node
// would also fall together there.
const seed = 0x6a61636b64617731 // "jackdaw1"

// seedOf returns where a node's numbers come from.
func seedOf(name string) uint64 {
	d := xxhash.NewWithSeed(seed)
	_, _ = d.WriteString(name) // never fails
	return d.Sum64()
}

// mix spreads a number over all 64 bits (the finalizer of splitmix64).
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}

// fraction is how many bits of a logarithm stand behind the point.
const fraction = 32

// steps is how finely logarithms are tabulated; between two steps the line is straight, which errs by less than 1e-7.
const steps = 1 << 11

// logs holds log2(1 + i/steps), with fraction bits.
type logs [steps + 1]uint64

// draw returns the node's number for partition p: -log2(u) of a u that is evenly distributed in (0, 1]. Divided by the node's weight,
// it is exponentially distributed with the weight as its rate, and the smallest of several such numbers is each one's as often as
// its share of the rates says.
func (l *logs) draw(nodeSeed uint64, p int) uint64 {
	x := mix(nodeSeed^uint64(p+1)*0x9e3779b97f4a7c15) | 1
	zeros := bits.LeadingZeros64(x)
	rest := x << zeros << 1 // what is behind the leading 1
	i := rest >> (64 - 11)
	part := rest << 11 >> 32
	between := (l[i+1] - l[i]) * part >> 32
	return uint64(zeros+1)<<fraction - l[i] - between
}

// logarithms is computed once, 2049 values in about 0.2 ms, by squaring: the square of a number in [1, 2) is 2 or more exactly if the next bit of
// its logarithm is 1.
var logarithms = sync.OnceValue(func() *logs {
	l := &logs{}
	for i := range steps {
		x := uint64(1)<<63 + uint64(i)<<(63-11) // 1 + i/steps with 63 bits behind the point
		for range fraction {
			high, _ := bits.Mul64(x, x) // 62 bits behind the point
			l[i] <<= 1
			if high>>63 != 0 {
				l[i] |= 1
				x = high
			} else {
				x = high << 1
			}
		}
	}
	l[steps] = 1 << fraction
	return l
})
