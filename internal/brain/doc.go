// Package brain sees to it that pools have the server connections they will need. It looks at them once a second,
// writes down what they are asked for, reads the calendars, makes forecasts, and tells each pool its target. What
// decides is in packages without input and output: calendar, history, forecast, scaler, tuner. Here is what brings them
// together.
//
//	Brain      its parts, their beginning and their end (brain.go)
//	observing  once a second: samples into buckets, decisions into targets (observe.go, decide.go, tune.go)
//	foreseeing when there is something new to learn from: forecasts (foresee.go)
//	reading    calendars, as the configuration has them (calendars.go)
//	remembering  events that took place, which calendars do not list for ever (remember.go)
//	showing    what it knows, for status and for other autoscalers (view.go)
//
// The data path does not wait for it. A pool keeps its target if the brain fails to decide; a history that cannot be
// written is kept in memory for a while; a calendar that cannot be read stays as it was.
package brain
