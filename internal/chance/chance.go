// Package chance is where random tests get their seed, so that each of them can be repeated.
package chance

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
)

// Seed is a new one, or that of the environment variable USHER_SEED, and is printed with the test's output.
func Seed(tb testing.TB) uint64 {
	tb.Helper()
	seed := rand.Uint64()
	if text := os.Getenv("USHER_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			tb.Fatal(err)
		}
	}
	tb.Logf("seed: USHER_SEED=%d", seed)
	return seed
}

// Random is random numbers of a seed.
func Random(tb testing.TB) *rand.Rand {
	tb.Helper()
	seed := Seed(tb)
	return rand.New(rand.NewPCG(seed, seed))
}
