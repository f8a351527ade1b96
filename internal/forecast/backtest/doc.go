// Package backtest replays history: each day is forecast as it would have been forecast a day ahead, from what was
// known then, and compared with what came.
//
// # As issued
//
// The forecast for a day is made at the local midnight with which the day before begins, so its hours are 24 to 48
// hours ahead. History until then is known, and the calendar: its starts, ends and guests are taken to have been known
// all along, also where a file has what became true only later, as the actual end of a game.
//
// # Words
//
// A window is from an hour before an event's start to five hours after it. Normal is the median of the same time of the
// week over the whole of history outside windows; it belongs to the measuring, no forecast sees it. A slot, a quarter
// of an hour unless history is coarser, is busy if demand in it was at least twice the normal, and a busy slot was
// caught if at least 1.6 times the normal was forecast. Over-volume is what was forecast beyond demand, under-volume
// what demand was beyond the forecast, both as fractions of demand; for the middle forecast their sum is the WAPE.
// Without events, every slot counts as if it were in a window.
package backtest
