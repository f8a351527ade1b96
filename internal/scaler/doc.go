// Package scaler decides how many server connections each pool should have: ahead of what is coming, after what is
// there, at once in an emergency, within the budget, and slowly downwards. It is pure; each decision has a reason.
//
// # Upwards
//
// A pool's target is the greatest of several wishes, and its reason is that wish's:
//
//   - forecast: what is expected until Rules.Lead from now, at Rules.Quantile, turned into connections by staffing.
//     A spike, at least Rules.Enter times what is usual and Rules.Least connections above it, counts with its whole
//     peak from Lead before it begins, and so much earlier as the opening takes: then all is open Lead ahead.
//   - reactive: what is asked for now, those who wait included, so that utilisation is at most Rules.Reactive.
//   - emergency: critical work is impaired: half as many again, at once, and more every emergencyPause.
//   - hold: what was opened for a spike stays until Rules.Hold after its end.
//   - manual: what an operator has set, in place of all the others but an emergency, until it expires.
//
// All but an emergency rises by Rules.Opens connections a second at most. The pool's Min, Max and Cap bound the target;
// the budget then divides what its pools ask for, their Mins first and the rest by priority.
//
// # Downwards
//
// The forecast only ever raises. A target falls to what was measured lately, by shrinkPart every shrinkEvery. It does
// not fall while something is held, while the database is out, and for a while after demand has dropped suddenly or
// far below what was expected: after an outage everybody comes back at once. Nor does it fall because a forecast is
// missing that was there before, until forecastGrace has passed, nor just after the clock has jumped.
//
// # What one sees
//
// Decide is called every few seconds for all pools of a database server, and gives a Decision for each with everything
// it was made from. In mode Observe it decides the same and Acts is not set. Shortfalls says where up to 14 days ahead
// the forecast exceeds what is there to give; Plan shows a forecast with what is planned for it, and Horizons are the
// values for other autoscalers.
package scaler
