//go:build integration && !race

package forecast

const wildInputs = 30
