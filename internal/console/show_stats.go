package console

import (
	"github.com/usher-pg/usher/internal/status"
)

type counter struct {
	value func(*status.Totals) uint64
	// The same counter under its four names. PgBouncer's names differ between its tables, and SHOW STATS_AVERAGES
	// prefixes only some of them with avg_; tools know them like that.
	inStats, inTotals, inAverages, inList string
}

// counters are in the order of PgBouncer's columns.
var counters = []counter{
	{
		func(t *status.Totals) uint64 { return t.Assignments },
		"server_assignment_count", "server_assignment_count", "server_assignment_count", "server_assignment_count",
	},
	{func(t *status.Totals) uint64 { return t.Transactions }, "xact_count", "xact_count", "xact_count", "xact_count"},
	{func(t *status.Totals) uint64 { return t.Queries }, "query_count", "query_count", "query_count", "query_count"},
	{func(t *status.Totals) uint64 { return t.Received }, "received", "bytes_received", "bytes_received", "client_bytes"},
	{func(t *status.Totals) uint64 { return t.Sent }, "sent", "bytes_sent", "bytes_sent", "server_bytes"},
	{func(t *status.Totals) uint64 { return t.TransactionTime }, "xact_time", "xact_time", "xact_time", "xact_time"},
	{func(t *status.Totals) uint64 { return t.QueryTime }, "query_time", "query_time", "query_time", "query_time"},
	{func(t *status.Totals) uint64 { return t.WaitTime }, "wait_time", "wait_time", "wait_time", "wait_time"},
	{
		func(t *status.Totals) uint64 { return t.ClientParses },
		"client_parse_count", "client_parse_count", "avg_client_parse_count", "ps_client_parse_count",
	},
	{
		func(t *status.Totals) uint64 { return t.ServerParses },
		"server_parse_count", "server_parse_count", "avg_server_parse_count", "ps_server_parse_count",
	},
	{func(t *status.Totals) uint64 { return t.Binds }, "bind_count", "bind_count", "avg_bind_count", "ps_bind_count"},
}

// logins is what PgBouncer has on its main branch but not in 1.25; until then it is a column of ours.
var logins = counter{
	func(t *status.Totals) uint64 { return t.ClientLogins },
	"client_login_count", "client_login_count", "avg_client_login_count", "client_login_count",
}

// averageNames are SHOW STATS' names of averages that do not follow from the total's.
var averageNames = map[string]string{"received": "recv"}

func totalColumn(name string, c counter) column[status.DatabaseStats] {
	return numericColumn(name, func(d *status.DatabaseStats) uint64 { return c.value(&d.Totals) })
}

func averageColumn(name string, c counter) column[status.DatabaseStats] {
	return numericColumn(name, func(d *status.DatabaseStats) uint64 {
		return c.value((*status.Totals)(&d.Averages))
	})
}

func nameOfAverage(c counter) string {
	if name, ok := averageNames[c.inStats]; ok {
		return "avg_" + name
	}
	return "avg_" + c.inStats
}

var databaseColumn = textColumn("database", func(d *status.DatabaseStats) string { return d.Database })

func statsOf(s *status.Snapshot) []status.DatabaseStats { return s.Stats }

func makeStatsTable() table[status.DatabaseStats] {
	columns := []column[status.DatabaseStats]{databaseColumn}
	for _, c := range counters {
		columns = append(columns, totalColumn("total_"+c.inStats, c))
	}
	for _, c := range counters {
		columns = append(columns, averageColumn(nameOfAverage(c), c))
	}
	columns = append(columns, totalColumn("total_"+logins.inStats, logins), averageColumn(nameOfAverage(logins), logins))
	return table[status.DatabaseStats]{columns, statsOf}
}

func makeStatsTotalsTable() table[status.DatabaseStats] {
	columns := []column[status.DatabaseStats]{databaseColumn}
	for _, c := range append(counters[:len(counters):len(counters)], logins) {
		columns = append(columns, totalColumn(c.inTotals, c))
	}
	return table[status.DatabaseStats]{columns, statsOf}
}

func makeStatsAveragesTable() table[status.DatabaseStats] {
	columns := []column[status.DatabaseStats]{databaseColumn}
	for _, c := range append(counters[:len(counters):len(counters)], logins) {
		columns = append(columns, averageColumn(c.inAverages, c))
	}
	return table[status.DatabaseStats]{columns, statsOf}
}

type namedNumber struct {
	name  string
	value uint64
}

// grandTotals adds up all databases. An average of averages is weighed by what it is an average of; rates just add up.
func grandTotals(s *status.Snapshot) []namedNumber {
	var totals, averages status.Totals
	var transactionTime, queryTime, waitTime uint64
	for i := range s.Stats {
		a := status.Totals(s.Stats[i].Averages)
		totals, averages = totals.Add(s.Stats[i].Totals), averages.Add(a)
		transactionTime += a.TransactionTime * a.Transactions
		queryTime += a.QueryTime * a.Queries
		waitTime += a.WaitTime * a.Assignments
	}
	averages.TransactionTime = transactionTime / max(averages.Transactions, 1)
	averages.QueryTime = queryTime / max(averages.Queries, 1)
	averages.WaitTime = waitTime / max(averages.Assignments, 1)

	all := append(counters[:len(counters):len(counters)], logins)
	list := make([]namedNumber, 0, 2*len(all))
	for _, c := range counters {
		list = append(list, namedNumber{"total_" + c.inList, c.value(&totals)})
	}
	for _, c := range counters {
		list = append(list, namedNumber{"avg_" + c.inList, c.value(&averages)})
	}
	return append(list,
		namedNumber{"total_" + logins.inList, logins.value(&totals)},
		namedNumber{"avg_" + logins.inList, logins.value(&averages)})
}

var totalsTable = table[namedNumber]{
	items: grandTotals,
	columns: []column[namedNumber]{
		textColumn("name", func(n *namedNumber) string { return n.name }),
		numericColumn("value", func(n *namedNumber) uint64 { return n.value }),
	},
}
