// Package scaler decides how many server connections each pool should have: ahead of what is coming, after what is
// there, at once in an emergency, within the budget, and slowly downwards. It is pure; each decision has a reason.
package scaler
