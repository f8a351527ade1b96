//go:build !race

package relay

const (
	cutStride = 1
	twinSteps = 600
)
