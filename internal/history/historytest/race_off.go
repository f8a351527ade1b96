//go:build !race

package historytest

const slow = false
