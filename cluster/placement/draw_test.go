package placement

import (
	"math"
	"math/bits"
	"testing"
)

// The integers are the logarithm that the real numbers have.
func TestDrawIsALogarithm(t *testing.T) {
	l := logarithms()
	for p := range 100_000 {
		x := mix(12345^uint64(p+1)*0x9e3779b97f4a7c15) | 1
		want := 64 - math.Log2(float64(x))
		if got := float64(l.draw(12345, p)) / (1 << fraction); math.Abs(got-want) > 1e-7 {
			t.Fatalf("partition %d: %.10f, want %.10f", p, got, want)
		}
	}
}

func TestLogarithmsRise(t *testing.T) {
	l := logarithms()
	for i := range steps {
		want := math.Log2(1 + float64(i)/steps)
		if got := float64(l[i]) / (1 << fraction); math.Abs(got-want) > 1e-9 || l[i] >= l[i+1] {
			t.Fatalf("log2(1 + %d/%d): %.10f, want %.10f", i, steps, got, want)
		}
	}
}

// One bit more in a name changes half of the bits of what it draws.
func TestSeedsDiffer(t *testing.T) {
	for _, pair := range [][2]string{{"node-1", "node-2"}, {"a", "b"}, {"", "a"}} {
		if n := bits.OnesCount64(mix(seedOf(pair[0])) ^ mix(seedOf(pair[1]))); n < 12 || n > 52 {
			t.Errorf("%q and %q differ in %d bits", pair[0], pair[1], n)
		}
	}
}
