package pgerr

import "log/slog"

// The table. SQLSTATEs are PostgreSQL's (appendix "PostgreSQL Error Codes"); drivers decide by them, so a row takes the
// code PostgreSQL itself would send in that place.
var (
	// Login.
	ProtocolViolation     = row("08P01", SeverityFatal, slog.LevelInfo, "%s", "")
	UnsupportedVersion    = row("0A000", SeverityFatal, slog.LevelInfo, "unsupported frontend protocol %s: usher supports 3.0 to 3.2", "")
	LoginTimeout          = row("57014", SeverityFatal, slog.LevelInfo, "login timed out", "")
	TLSRequired           = row("28000", SeverityFatal, slog.LevelInfo, "TLS is required", "Connect with sslmode=require or stronger.")
	PlaintextAfterTLS     = row("08P01", SeverityFatal, slog.LevelWarn, "received unencrypted data after SSL request", "")
	NoUser                = row("28000", SeverityFatal, slog.LevelInfo, "no PostgreSQL user name specified in startup packet", "")
	WrongPassword         = row("28P01", SeverityFatal, slog.LevelInfo, "password authentication failed for user %q", "")
	TrustFailed           = row("28000", SeverityFatal, slog.LevelInfo, "authentication failed for user %q", "")
	CertificateRequired   = row("28000", SeverityFatal, slog.LevelInfo, "connection requires a valid client certificate", "")
	CertificateMismatch   = row("28000", SeverityFatal, slog.LevelInfo, "certificate authentication failed for user %q", "")
	NoSuchDatabase        = row("3D000", SeverityFatal, slog.LevelInfo, "database %q does not exist", "The pools that usher serves are listed under pools in its config.")
	DatabaseDisabled      = row("57P03", SeverityFatal, slog.LevelInfo, "database %q is disabled", "An operator has disabled it with DISABLE.")
	InvalidParameter      = row("22023", SeverityFatal, slog.LevelInfo, "invalid startup parameter %q", "")
	UnsupportedParameter  = row("08P01", SeverityFatal, slog.LevelInfo, "unsupported startup parameter: %s", "")
	LaneNotGranted        = row("42501", SeverityFatal, slog.LevelInfo, "permission denied for lane %s", "")
	TooManyClients        = row("53300", SeverityFatal, slog.LevelWarn, "too many connections", "The limit is limits.max_clients in usher's config.")
	NoDescriptors         = row("53300", SeverityFatal, slog.LevelError, "too many open files in usher", "Raise the limit of open files (ulimit -n) of the usher process.")
	ShuttingDown          = row("57P01", SeverityFatal, slog.LevelInfo, "usher is shutting down", "")
	ServerLogin           = row("08006", SeverityFatal, slog.LevelError, "the database server cannot be reached", "")
	NotAllowedOnConsole   = row("28000", SeverityFatal, slog.LevelInfo, "user %q is not allowed on the console", "Name the user in admin_users or stats_users.")
	ReplicationNotAllowed = row("0A000", SeverityFatal, slog.LevelInfo, "replication connections are not possible to database %q", "")

	// Requests.
	QueueFull          = row("53300", SeverityError, slog.LevelWarn, "too many requests are waiting for a server connection", "")
	QueueTimeout       = row("53300", SeverityError, slog.LevelWarn, "no server connection came free within the queue timeout", "")
	Hopeless           = row("53300", SeverityError, slog.LevelInfo, "no server connection can come free before the deadline", "")
	LaneDenied         = row("42501", SeverityError, slog.LevelInfo, "permission denied for lane %s", "")
	NoSuchLane         = row("22023", SeverityError, slog.LevelDebug, "invalid value for parameter \"usher.lane\": %q", "The lanes are critical, high, normal and low.")
	Shed               = row("53300", SeverityError, slog.LevelInfo, "usher is shedding load of this lane", "")
	ServerDown         = row("08006", SeverityError, slog.LevelWarn, "the database server cannot be reached", "usher keeps trying; retry later.")
	Cancelled          = row("57014", SeverityError, slog.LevelInfo, "canceling statement due to user request", "")
	PoolClosed         = row("57P03", SeverityError, slog.LevelInfo, "the pool is closed", "")
	StatementLimit     = row("53400", SeverityError, slog.LevelInfo, "too many prepared statements", "")
	NoSuchStatement    = row("26000", SeverityError, slog.LevelInfo, "prepared statement %q does not exist", "")
	DuplicateStatement = row("42P05", SeverityError, slog.LevelInfo, "prepared statement %q already exists", "")
	TransactionFailed  = row("25P02", SeverityError, slog.LevelDebug, "current transaction is aborted, commands ignored until end of transaction block", "")
	StatementMode      = row("0A000", SeverityFatal, slog.LevelInfo, "transaction blocks are not allowed in statement pooling mode", "Use a pool of mode transaction.")
	SettingFailed      = row("55000", SeverityError, slog.LevelWarn, "the session's settings could not be restored on another server connection", "")

	// Connections that end.
	ServerClosed       = row("08006", SeverityFatal, slog.LevelWarn, "the server connection was lost", "")
	ServerProtocol     = row("08P01", SeverityFatal, slog.LevelError, "the database server broke the protocol", "")
	QueryTimeout       = row("57014", SeverityFatal, slog.LevelWarn, "query timeout", "")
	TransactionTimeout = row("57014", SeverityFatal, slog.LevelWarn, "transaction timeout", "")
	IdleInTransaction  = row("25P03", SeverityFatal, slog.LevelWarn, "idle transaction timeout", "")
	EndedForCritical   = row("25P03", SeverityFatal, slog.LevelWarn, "terminating connection that was idle in a transaction while a critical request waited", "Keep transactions short; usher's option is emergency.end_idle_in_transaction.")
	ClientIdle         = row("57P05", SeverityFatal, slog.LevelInfo, "client idle timeout", "")
	Killed             = row("57P01", SeverityFatal, slog.LevelInfo, "terminating connection due to administrator command", "")
	TooLarge           = row("08P01", SeverityFatal, slog.LevelWarn, "message of %s bytes is larger than the limit", "The limit is limits.max_message_size in usher's config.")
	PoolGone           = row("57P01", SeverityFatal, slog.LevelInfo, "database %q was removed from the config", "")

	// Console.
	ConsoleSyntax   = row("42601", SeverityError, slog.LevelInfo, "%s", "SHOW HELP lists the commands.")
	ConsoleDenied   = row("42501", SeverityError, slog.LevelInfo, "admin access needed", "")
	ConsoleExtended = row("0A000", SeverityError, slog.LevelInfo, "extended query protocol not supported by the console", "Use the simple query protocol.")
	ConsoleFailed   = row("55000", SeverityError, slog.LevelInfo, "%s", "")
)

func row(code string, severity Severity, level slog.Level, message, hint string) *Row {
	r := &Row{Code: code, Severity: severity, Level: level, Message: message, Hint: hint}
	rows = append(rows, r)
	return r
}

var rows []*Row

// Table lists every row, for docs and tests.
func Table() []*Row { return rows }
