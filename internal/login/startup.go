package login

import (
	"fmt"
	"strings"

	"github.com/usher-pg/usher/internal/pgerr"
	"github.com/usher-pg/usher/internal/wire"
)

// maxParams bounds the parameters of a start-up packet. PostgreSQL has about four hundred settings in all.
const maxParams = 500

// maxOptions bounds the protocol options of a start-up packet, known or not. None is known.
const maxOptions = 100

// optionPrefix begins the names of protocol options.
const optionPrefix = "_pq_."

// startup is what a start-up packet says.
type startup struct {
	user, database  string
	applicationName string
	params          []wire.Param // without user, database, replication, options
	settings        []wire.Param // from options
	replication     string       // "", "true" or "database"
	version         uint32       // the one to be spoken
	negotiate       bool         // the client must be told the version, or the options that are not known
	unknown         []string
}

// readStartup reads a whole start-up packet. Errors are *pgerr.Error.
func readStartup(packet []byte) (*startup, error) {
	version := wire.StartupCode(packet)
	if wire.Major(version) != 3 {
		return nil, pgerr.UnsupportedVersion.With(fmt.Sprintf("%d.%d", wire.Major(version), wire.Minor(version)))
	}
	params, err := wire.ParseStartup(packet)
	if err != nil {
		return nil, pgerr.ProtocolViolation.With("invalid startup packet layout").Because(err)
	}
	if len(params) > maxParams {
		return nil, pgerr.ProtocolViolation.With("too many startup parameters")
	}
	s := &startup{version: min(version, wire.VersionLatest), negotiate: version > wire.VersionLatest}
	for _, p := range params {
		if err := s.take(p); err != nil {
			return nil, err
		}
	}
	if s.user == "" {
		return nil, pgerr.NoUser.With()
	}
	if s.database == "" {
		s.database = s.user
	}
	return s, nil
}

// take takes one parameter. As in PostgreSQL the last one of a name counts.
func (s *startup) take(p wire.Param) (err error) {
	switch {
	case p.Name == "user":
		s.user = p.Value
	case p.Name == "database":
		s.database = p.Value
	case p.Name == "replication":
		s.replication, err = readReplication(p.Value)
	case p.Name == "options":
		s.settings, err = readOptions(p.Value)
	case strings.HasPrefix(p.Name, optionPrefix):
		if len(s.unknown) == maxOptions {
			return pgerr.ProtocolViolation.With("too many protocol options")
		}
		s.unknown = append(s.unknown, p.Name)
		s.negotiate = true
	case !isSettingName(p.Name):
		return pgerr.InvalidParameter.With(p.Name)
	default:
		if p.Name == "application_name" {
			s.applicationName = p.Value
		}
		s.put(p)
	}
	return err
}

func (s *startup) put(p wire.Param) {
	for i := range s.params {
		if s.params[i].Name == p.Name {
			s.params[i].Value = p.Value
			return
		}
	}
	s.params = append(s.params, p)
}

// readReplication reads the replication parameter: "database", or a boolean as PostgreSQL's parse_bool takes
// it.
func readReplication(value string) (string, error) {
	if value == "database" {
		return "database", nil
	}
	on, ok := parseBool(value)
	if !ok {
		return "", pgerr.InvalidParameter.With("replication").
			WithDetail("It must be a boolean or \"database\".")
	}
	if on {
		return "true", nil
	}
	return "", nil
}

// parseBool takes on, off, 1, 0, and true, false, yes, no or a beginning of these, in any case.
func parseBool(value string) (on, ok bool) {
	v := strings.ToLower(value)
	switch {
	case v == "":
		return false, false
	case v == "1", v == "on", strings.HasPrefix("true", v), strings.HasPrefix("yes", v):
		return true, true
	case v == "0", v == "of", v == "off", strings.HasPrefix("false", v), strings.HasPrefix("no", v):
		return false, true
	}
	return false, false
}
