// Package report is what people and other programs see of forecasts: a table, a document, how right they were as
// issued; and how people put a question to one: what if there were this event, too. It is pure.
package report
