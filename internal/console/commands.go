package console

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/usher-pg/usher/internal/pgerr"
	"github.com/usher-pg/usher/internal/status"
)

// Permission is what a user may do on the console.
type Permission int

// The permissions: PgBouncer's stats_users and admin_users.
const (
	Stats Permission = iota + 1 // look
	Admin                       // look and act
)

// command is a row of the console: what it is called, who may use it, and what it does. Of result, notice and act one
// is set.
type command struct {
	name       string // "PAUSE", "SHOW POOLS"
	permission Permission
	argument   argument
	usage      string // for SHOW HELP; empty: PgBouncer's help groups it with others

	sections status.Sections // that result shows
	result   result

	notice func(all []command) (message, detail string)

	act func(ctx context.Context, ctl status.Controller, s statement) error
	// waits is set when act may take long: the connection is watched meanwhile.
	waits bool
	// undo is called when the wait is cancelled, and, if undoOnLeave, when the client leaves.
	undo        func(ctx context.Context, ctl status.Controller, s statement) error
	undoOnLeave bool
}

// argument is what may follow a command's name.
type argument int

const (
	noArgument argument = iota
	optionalPool
	requiredPool
	clientID
	shutdownMode
	setting
	emergencyClauses
	scaleClauses
)

// poolAction adapts an action on a pool.
func poolAction(act func(status.Controller, context.Context, string) error) func(
	context.Context, status.Controller, statement) error {
	return func(ctx context.Context, ctl status.Controller, s statement) error { return act(ctl, ctx, s.argument) }
}

func action(act func(status.Controller, context.Context) error) func(
	context.Context, status.Controller, statement) error {
	return func(ctx context.Context, ctl status.Controller, _ statement) error { return act(ctl, ctx) }
}

var resume = poolAction(status.Controller.Resume)

// commands is the console. The order is that of SHOW HELP.
var commands = []command{
	{name: "SHOW HELP", permission: Stats, notice: help},
	{name: "SHOW CONFIG", permission: Stats, sections: status.SectionConfig, result: configTable},
	{name: "SHOW DATABASES", permission: Stats, sections: status.SectionDatabases, result: databaseTable},
	{name: "SHOW POOLS", permission: Stats, sections: status.SectionPools, result: poolTable},
	{name: "SHOW CLIENTS", permission: Stats, sections: status.SectionClients, result: clientTable},
	{name: "SHOW SERVERS", permission: Stats, sections: status.SectionServers, result: serverTable},
	{name: "SHOW USERS", permission: Stats, sections: status.SectionUsers, result: userTable},
	{name: "SHOW VERSION", permission: Stats, result: versionTable},
	{name: "SHOW PEERS", permission: Stats, result: peerTable},
	{name: "SHOW PEER_POOLS", permission: Stats, result: peerPoolTable},
	{
		name: "SHOW FDS", permission: Admin, result: descriptorTable,
		sections: status.SectionListeners | status.SectionClients | status.SectionServers,
	},
	{
		name: "SHOW SOCKETS", permission: Stats, result: socketTable,
		sections: status.SectionClients | status.SectionServers,
	},
	{
		name: "SHOW ACTIVE_SOCKETS", permission: Stats, result: activeSocketTable,
		sections: status.SectionClients | status.SectionServers,
	},
	{name: "SHOW LISTS", permission: Stats, sections: status.SectionLists, result: listTable},
	{name: "SHOW MEM", permission: Stats, sections: status.SectionMemory, result: memoryTable},
	{name: "SHOW STATE", permission: Stats, result: stateTable},
	{name: "SHOW DNS_HOSTS", permission: Stats, result: hostTable},
	{name: "SHOW DNS_ZONES", permission: Stats, result: zoneTable},
	{name: "SHOW STATS", permission: Stats, sections: status.SectionStats, result: makeStatsTable()},
	{name: "SHOW STATS_TOTALS", permission: Stats, sections: status.SectionStats, result: makeStatsTotalsTable()},
	{name: "SHOW STATS_AVERAGES", permission: Stats, sections: status.SectionStats, result: makeStatsAveragesTable()},
	{name: "SHOW TOTALS", permission: Stats, sections: status.SectionStats, result: totalsTable},
	{name: "SHOW LANES", permission: Stats, sections: status.SectionPools, result: laneTable},
	{name: "SHOW EMERGENCIES", permission: Stats, sections: status.SectionEmergencies, result: emergencyTable},
	{name: "SHOW FORECAST", permission: Stats, sections: status.SectionForecasts, result: forecastTable},
	{name: "SHOW SCALING", permission: Stats, sections: status.SectionScaling, result: scalingTable},
	{name: "SHOW SHORTFALLS", permission: Stats, sections: status.SectionScaling, result: shortfallTable},
	{name: "SHOW CALENDAR", permission: Stats, sections: status.SectionCalendars, result: eventTable},
	{name: "SHOW CALENDARS", permission: Stats, sections: status.SectionCalendars, result: calendarTable},
	{name: "SHOW TUNING", permission: Stats, sections: status.SectionTuning, result: tuningTable},
	{name: "SHOW PINS", permission: Stats, sections: status.SectionPools, result: pinTable},

	{
		name: "SET", permission: Admin, argument: setting, usage: "SET key = arg",
		act: func(ctx context.Context, ctl status.Controller, s statement) error {
			return ctl.Set(ctx, s.argument, s.value)
		},
	},
	{name: "RELOAD", permission: Admin, usage: "RELOAD", act: action(status.Controller.Reload)},
	{
		name: "PAUSE", permission: Admin, argument: optionalPool, usage: "PAUSE [<db>]",
		act: poolAction(status.Controller.Pause), waits: true, undo: resume,
	},
	{name: "RESUME", permission: Admin, argument: optionalPool, usage: "RESUME [<db>]", act: resume},
	{
		name: "DISABLE", permission: Admin, argument: requiredPool, usage: "DISABLE <db>",
		act: poolAction(status.Controller.Disable),
	},
	{
		name: "ENABLE", permission: Admin, argument: requiredPool, usage: "ENABLE <db>",
		act: poolAction(status.Controller.Enable),
	},
	{
		name: "RECONNECT", permission: Admin, argument: optionalPool, usage: "RECONNECT [<db>]",
		act: poolAction(status.Controller.Reconnect),
	},
	{
		name: "KILL", permission: Admin, argument: optionalPool, usage: "KILL [<db>]",
		act: poolAction(status.Controller.Kill),
	},
	{
		name: emergencyVerb, permission: Admin, argument: emergencyClauses,
		usage: "EMERGENCY ON [<db>] [FOR <duration>] [LANE <lane>] [REASON '<text>']\n\tEMERGENCY OFF [<db>]",
		act:   orderEmergency,
	},
	{
		name: scaleVerb, permission: Admin, argument: scaleClauses,
		usage: "SCALE <db> TO <connections> [FOR <duration>] [REASON '<text>']\n\tSCALE <db> AUTO",
		act:   orderScale,
	},
	{
		name: "KILL_CLIENT", permission: Admin, argument: clientID, usage: "KILL_CLIENT <client_id>",
		act: func(ctx context.Context, ctl status.Controller, s statement) error {
			id, err := parseClientID(s.argument)
			if err != nil {
				return err
			}
			return ctl.KillClient(ctx, id)
		},
	},
	{
		name: "SUSPEND", permission: Admin, usage: "SUSPEND", act: action(status.Controller.Suspend),
		waits: true, undo: resume, undoOnLeave: true,
	},
	{
		name: "SHUTDOWN", permission: Admin, argument: shutdownMode,
		usage: "SHUTDOWN\n\tSHUTDOWN WAIT_FOR_SERVERS|WAIT_FOR_CLIENTS",
		act: func(ctx context.Context, ctl status.Controller, s statement) error {
			mode, err := parseShutdownMode(s)
			if err != nil {
				return err
			}
			return ctl.Shutdown(ctx, mode)
		},
	},
	{
		name: "WAIT_CLOSE", permission: Admin, argument: optionalPool, usage: "WAIT_CLOSE [<db>]",
		act: poolAction(status.Controller.WaitClose), waits: true,
	},
}

// pretended are parameters of PostgreSQL that some clients set or read without need: SET is ignored with a notice and
// SHOW answers what is written here. The first six are PgBouncer's.
var pretended = []pair{
	{"client_encoding", "UTF-8"},
	{"default_transaction_isolation", "read committed"},
	{"standard_conforming_strings", "on"},
	{"datestyle", "ISO"},
	{"timezone", "GMT"},
	{"extra_float_digits", "2"},

	{"application_name", ""},
	{"client_min_messages", "notice"},
	{"intervalstyle", "postgres"},
	{"search_path", ""},
	{"statement_timeout", "0"},
}

var commandsByName = indexCommands()

func indexCommands() map[string]*command {
	index := make(map[string]*command, len(commands)+2*len(pretended))
	for i := range commands {
		index[commands[i].name] = &commands[i]
	}
	for _, p := range pretended {
		name := strings.ToUpper(p.key)
		index["SHOW "+name] = &command{name: "SHOW " + name, permission: Stats, result: pretendedTable(p)}
		index["SET "+name] = &command{name: "SET", permission: Stats, argument: setting, notice: setIgnored}
	}
	return index
}

func setIgnored([]command) (message, detail string) { return "SET ignored", "" }

// find is the command a statement asks for.
func find(s statement) (*command, error) {
	name := s.verb
	switch {
	case strings.Contains(s.verb, " "): // a quoted verb; no command has a space in it, only our index has
		return nil, invalidCommand(s.text)
	case s.verb == "SELECT" || s.verb == "SHOW":
		name = "SHOW " + strings.ToUpper(s.argument)
	case s.verb == "SET":
		if c, ok := commandsByName["SET "+strings.ToUpper(s.argument)]; ok {
			return c, nil
		}
	}
	if c, ok := commandsByName[name]; ok {
		return c, nil
	}
	return nil, invalidCommand(s.text)
}

func (c *command) isShow() bool { return c.act == nil && c.argument == noArgument }

// checkArgument refuses an argument the command cannot have.
func (c *command) checkArgument(s statement) error {
	if c.isShow() {
		return nil // the argument is part of the name
	}
	switch c.argument {
	case noArgument:
		if s.hasArgument {
			return invalidCommand(s.text)
		}
	case requiredPool, optionalPool:
		if c.argument == requiredPool && !s.hasArgument {
			return pgerr.ConsoleSyntax.With("a database is required")
		}
		if IsConsole(s.argument) && c.name != "RESUME" {
			return pgerr.ConsoleFailed.With(fmt.Sprintf("cannot %s admin db: %s", c.inWords(), s.argument))
		}
	case clientID:
		_, err := parseClientID(s.argument)
		return err
	case shutdownMode:
		_, err := parseShutdownMode(s)
		return err
	case emergencyClauses:
		_, _, err := parseEmergency(s)
		return err
	case scaleClauses:
		_, _, err := parseScale(s)
		return err
	case setting:
	}
	return nil
}

func (c *command) inWords() string {
	if c.name == "WAIT_CLOSE" {
		return "wait in"
	}
	return strings.ToLower(c.name)
}

// tag is the CommandComplete of a statement that succeeded.
func (c *command) tag(s statement) string {
	if c.name == "SET" && c.act != nil {
		return "SET " + clean(s.argument) + "=" + clean(s.value)
	}
	verb, _, _ := strings.Cut(c.name, " ")
	return verb
}

func parseClientID(argument string) (uint64, error) {
	id, err := strconv.ParseUint(argument, 10, 64)
	if err != nil {
		return 0, invalidValue.With("invalid client pointer supplied")
	}
	return id, nil
}

func parseShutdownMode(s statement) (status.ShutdownMode, error) {
	if !s.hasArgument {
		return status.ShutdownImmediate, nil
	}
	switch mode := status.ShutdownMode(strings.ToUpper(s.argument)); mode {
	case status.ShutdownWaitForServers, status.ShutdownWaitForClients:
		return mode, nil
	}
	return "", invalidCommand(s.text)
}

// Databases are the virtual databases behind which the console is.
var Databases = []string{"pgbouncer", "usher"}

// IsConsole reports whether a database name means the console.
func IsConsole(database string) bool { return slices.Contains(Databases, database) }

// shownPerLine is how many SHOW commands stand in a line of the help.
const shownPerLine = 6

// help lists the commands as a notice, as PgBouncer does.
func help(all []command) (message, detail string) {
	var b strings.Builder
	shown := 0
	for i := range all {
		if what, ok := strings.CutPrefix(all[i].name, "SHOW "); ok {
			if shown%shownPerLine == 0 {
				b.WriteString("\n\tSHOW " + what)
			} else {
				b.WriteString("|" + what)
			}
			shown++
			continue
		}
		b.WriteString("\n\t" + all[i].usage)
	}
	return "Console usage", b.String()
}
