// Package past knows which of the events that were planned took place. Many calendars list only what is still to come,
// and events are learned from when they are over. So those that took place are kept in the history. One has taken place
// when the calendar's good copy listed it until it was over, and the history knows demand of its time: a clock that has
// jumped ahead makes all that is planned look as if it were over, but of that time nothing was recorded.
package past
