package session

import "strings"

// The two settings that are the identity of a session. They decide what it may do, so they are reset first
// and set after all others.
const (
	role                 = "role"
	sessionAuthorization = "session_authorization"
)

func isIdentity(name string) bool { return name == role || name == sessionAuthorization }

// notReplayable are parameters a session has but cannot set (or only for its transaction), by canonical name.
// From src/backend/utils/misc/guc_tables.c: context "internal", "backend" and "superuser-backend", and those
// with GUC_NO_RESET.
var notReplayable = map[string]struct{}{
	"block_size": {}, "data_checksums": {}, "data_directory_mode": {}, "debug_assertions": {},
	"huge_pages_status": {}, "in_hot_standby": {}, "integer_datetimes": {}, "is_superuser": {}, "lc_collate": {},
	"lc_ctype": {}, "max_function_args": {}, "max_identifier_length": {}, "max_index_keys": {},
	"num_os_semaphores": {}, "segment_size": {}, "server_encoding": {}, "server_version": {},
	"server_version_num": {}, "shared_memory_size": {}, "shared_memory_size_in_huge_pages": {},
	"ssl_library":    {},
	"wal_block_size": {}, "wal_segment_size": {},
	"ignore_system_indexes": {}, "jit_debugging_support": {}, "jit_profiling_support": {}, "log_connections": {},
	"log_disconnections": {}, "post_auth_delay": {},
	"seed": {}, "transaction_deferrable": {}, "transaction_isolation": {}, "transaction_read_only": {},
}

// replayable reports whether a parameter with this canonical name can be set in a session.
func replayable(name string) bool {
	_, refused := notReplayable[name]
	return !refused
}

// canonicalName is the lower-case form of a parameter's name, if it has the form of one: parts of
// [a-zA-Z_][a-zA-Z0-9_$]* joined by dots. PostgreSQL compares the names of parameters without regard to ASCII
// case.
func canonicalName[T string | []byte](name T) (string, bool) {
	if !validName(name) {
		return "", false
	}
	return strings.ToLower(string(name)), true
}

func validName[T string | []byte](name T) bool {
	begins := true // a part
	for i := range len(name) {
		switch c := name[i]; {
		case 'a' <= c|0x20 && c|0x20 <= 'z' || c == '_':
			begins = false
		case begins:
			return false
		case c == '.':
			begins = true
		case '0' <= c && c <= '9' || c == '$':
		default:
			return false
		}
	}
	return !begins && len(name) <= MaxNameBytes
}

// isCustom reports whether a name belongs to an extension or an application. PostgreSQL does not list custom
// settings that no extension has defined.
func isCustom(name string) bool { return strings.IndexByte(name, '.') > 0 }
