//go:build race

package relay

// racing: the race detector makes everything ten times slower, so tests of many cases take a part of them.
const racing = true
