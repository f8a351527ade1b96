//go:build !race

package relay

const racing = false
