// Package series forecasts regular series with one or several seasonal periods, such as demand by the hour (24, 168),
// as points and quantiles. It is a pool of cheap models, each fitted in one pass, that are replayed from several
// origins in the past: the forecast is their mean, weighted by how well each did there, and its quantiles come from
// the errors the weighted mean would have made. docs/forecast.md says how well that works.
//
// It is pure and deterministic. Values are 0 or more, as loads and counts are, and NaN where they are missing; what
// comes out is finite and 0 or more.
package series
