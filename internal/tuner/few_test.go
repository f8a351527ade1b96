//go:build !integration || race

package tuner

// servers is how many simulated servers are searched from each end.
const servers = 20
