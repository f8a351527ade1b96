//go:build !integration || race

package forecast

// wildInputs is how many inputs of any kind are tried: few, as each is two forecasts or three.
const wildInputs = 2
