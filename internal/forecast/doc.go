// Package forecast says what a pool will be asked for, how sure that is, and why; or why it cannot say. It is pure: a
// forecast is a function of history, calendar, rules and the time at which it is made. docs/forecast.md is its manual.
//
// # From history to points
//
// History becomes a grid of quarters of an hour, and what cannot count is left out of it. From the grid the usual week
// is learned, beside events; then the level, which is how much there is of everything, as it could be known at each
// time; then what events bring; then week and level once more, with what events bring taken off. A point is the three
// put together, blended with the rules of thumb by how often their hours or the kind of event have been seen. Its
// quantiles are of what the same model was off by in recent weeks, with the level of then.
//
// # What its caller keeps
//
// Calibration is the only memory: once a day, give Learn the forecasts that were in force and what came, and hand the
// result to the next Make. Without it quantiles are those of the residuals.
//
// Beside is where forecasts of the series alone come in (internal/forecast/series): of what comes without events, with
// the error they had over times held back. They are mixed with the usual week by that.
package forecast
