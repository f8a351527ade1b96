//go:build race && integration

package relay

const (
	cutStride = 7
	twinSteps = 200
)
