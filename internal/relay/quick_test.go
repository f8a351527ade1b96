//go:build race && !integration

package relay

// The race detector makes everything ten times slower, so tests of many cases take a part of them, and the quick run
// takes the fewest.
const (
	// cutStride is how many bytes there are from one place where a message is cut to the next.
	cutStride = 19
	// twinSteps is how much is said to a relay and to a server of one's own.
	twinSteps = 200
)
