// Package report is how right forecasts were, as they were issued, and how people put a question to one: what if there
// were this event, too. It is pure.
package report
