// Package forecast says what a pool will be asked for, how sure that is, and why; or why it cannot say. It is pure: a
// forecast is a function of history, calendar, rules and the time at which it is made.
package forecast
