//go:build integration

package forecast

const wildInputs = 30
