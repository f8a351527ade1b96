package session

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"

	"github.com/usher-pg/usher/internal/wire"
)

// ProbeColumns is the number of columns of the probe's one row.
const ProbeColumns = 10

// maxProbeBytes bounds one column of a probe's answer: all settings of PostgreSQL, in hexadecimal.
const maxProbeBytes = 1 << 20

// ErrProbe means that the answer to a probe was not what the probe asks for.
var ErrProbe = errors.New("unexpected answer to the question for the session's state")

// probeHead and probeTail are the probe, for PostgreSQL 12 to 18, around the custom settings it asks for.
// Everything is qualified, operators too, because the client decides about search_path. Values come as
// hexadecimal digits of their bytes in the server's encoding, so they contain no separators and no conversion
// touches them.
//
// The columns: settings made in this session; custom settings; the user who logged in, the session's user and
// role; channels; temporary objects; session-level advisory locks (the probe is a transaction of its own, so
// no others are left); holdable cursors; statements of SQL PREPARE; statements of the protocol's Parse.
//
// Temporary objects are counted as PostgreSQL finds them when it drops them: by their dependency on the
// schema.
const (
	probeHead = `SELECT ` +
		`(SELECT pg_catalog.string_agg(pg_catalog.concat(name,'=',pg_catalog.encode(` +
		`pg_catalog.convert_to(setting,pg_catalog.getdatabaseencoding()),'hex')),',') ` +
		`FROM pg_catalog.pg_settings WHERE source OPERATOR(pg_catalog.=) 'session'),` +
		`pg_catalog.concat_ws(',',NULL`
	probeTail = `),` +
		`(SELECT pg_catalog.encode(pg_catalog.convert_to(pg_catalog.pg_get_userbyid(usesysid)::pg_catalog.text,` +
		`pg_catalog.getdatabaseencoding()),'hex') ` +
		`FROM pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid())),` +
		`pg_catalog.encode(pg_catalog.convert_to(session_user::pg_catalog.text,` +
		`pg_catalog.getdatabaseencoding()),'hex'),` +
		`pg_catalog.encode(pg_catalog.convert_to(pg_catalog.current_setting('role'),` +
		`pg_catalog.getdatabaseencoding()),'hex'),` +
		`(SELECT pg_catalog.count(*) FROM pg_catalog.pg_listening_channels()),` +
		`(SELECT pg_catalog.count(*) FROM pg_catalog.pg_depend WHERE pg_catalog.pg_my_temp_schema() ` +
		`OPERATOR(pg_catalog.<>) 0 AND refclassid OPERATOR(pg_catalog.=) ` +
		`'pg_catalog.pg_namespace'::pg_catalog.regclass AND refobjid OPERATOR(pg_catalog.=) ` +
		`pg_catalog.pg_my_temp_schema()),` +
		`(SELECT pg_catalog.count(*) FROM pg_catalog.pg_locks WHERE locktype OPERATOR(pg_catalog.=) 'advisory' ` +
		`AND pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid() AND granted),` +
		`(SELECT pg_catalog.count(*) FROM pg_catalog.pg_cursors WHERE is_holdable),` +
		`(SELECT pg_catalog.concat(pg_catalog.count(*) FILTER (WHERE from_sql),'/',` +
		`pg_catalog.count(*) FILTER (WHERE NOT from_sql)) FROM pg_catalog.pg_prepared_statements)`
)

// ProbeSQL is the probe for a session without custom settings.
const ProbeSQL = probeHead + probeTail

// appendProbe appends the probe, asking for the custom settings too.
func appendProbe(dst []byte, names []string) []byte {
	dst = append(dst, probeHead...)
	for _, name := range names {
		dst = append(dst, ",pg_catalog.concat("...)
		dst = appendLiteral(dst, name+"=")
		dst = append(dst, ",pg_catalog.encode(pg_catalog.convert_to(pg_catalog.current_setting("...)
		dst = appendLiteral(dst, name)
		dst = append(dst, ",true),pg_catalog.getdatabaseencoding()),'hex'))"...)
	}
	return append(dst, probeTail...)
}

// Probe is what a server says about its session.
type Probe struct {
	Settings    []wire.Param // made in this session, in PostgreSQL's spelling of the names
	Custom      []wire.Param // custom settings that were asked for and have a value
	LoginUser   string       // who logged in
	SessionUser string       // SET SESSION AUTHORIZATION changes it
	Role        string       // "none" if there is none
	Channels    int          // of LISTEN
	Temporary   int          // objects in the temporary schema
	Locks       int          // session-level advisory locks
	Cursors     int          // WITH HOLD
	SQLPrepared int          // statements of SQL PREPARE
	Prepared    int          // statements of the protocol's Parse, those of the relay; see prepared.Cache.Len
}

// ParseProbe reads the columns of the probe's row; nil is NULL.
func ParseProbe(columns [][]byte) (*Probe, error) {
	if len(columns) != ProbeColumns {
		return nil, fmt.Errorf("%w: %d columns", ErrProbe, len(columns))
	}
	for i, column := range columns {
		if len(column) > maxProbeBytes {
			return nil, fmt.Errorf("%w: column %d has %d bytes", ErrProbe, i+1, len(column))
		}
	}
	d := probeDecoder{columns: columns}
	p := &Probe{
		Settings:    d.pairs(0),
		Custom:      d.pairs(1),
		LoginUser:   d.text(2),
		SessionUser: d.text(3),
		Role:        d.text(4),
		Channels:    d.number(5, columns[5]),
		Temporary:   d.number(6, columns[6]),
		Locks:       d.number(7, columns[7]),
		Cursors:     d.number(8, columns[8]),
	}
	bySQL, byProtocol, _ := bytes.Cut(columns[9], []byte("/"))
	p.SQLPrepared, p.Prepared = d.number(9, bySQL), d.number(9, byProtocol)
	if d.err != nil {
		return nil, d.err
	}
	return p, nil
}

// probeDecoder keeps the first error.
type probeDecoder struct {
	columns [][]byte
	err     error
}

func (d *probeDecoder) fail(column int) {
	if d.err == nil {
		d.err = fmt.Errorf("%w: column %d", ErrProbe, column+1)
	}
}

func (d *probeDecoder) number(column int, text []byte) int {
	n, err := strconv.ParseUint(string(text), 10, 31)
	if err != nil {
		d.fail(column)
	}
	return int(n)
}

func (d *probeDecoder) text(column int) string {
	value, err := hex.DecodeString(string(d.columns[column]))
	if err != nil || len(value) == 0 {
		d.fail(column)
	}
	return string(value)
}

// pairs reads name=hex,name=hex,…. Names contain neither separator.
func (d *probeDecoder) pairs(column int) []wire.Param {
	var found []wire.Param
	rest := d.columns[column]
	for len(rest) > 0 {
		var pair []byte
		pair, rest, _ = bytes.Cut(rest, []byte(","))
		name, digits, ok := bytes.Cut(pair, []byte("="))
		value, err := hex.DecodeString(string(digits))
		if !ok || err != nil || len(name) == 0 {
			d.fail(column)
			return nil
		}
		found = append(found, wire.Param{Name: string(name), Value: string(value)})
	}
	return found
}

// pins are the reasons the probe shows.
func (p *Probe) pins() PinReasons {
	var set PinReasons
	for _, row := range []struct {
		count  int
		reason PinReason
	}{
		{p.Channels, PinListen}, {p.Temporary, PinTemp}, {p.Locks, PinAdvisory}, {p.Cursors, PinCursor},
		{p.SQLPrepared, PinPrepare},
	} {
		if row.count > 0 {
			set |= 1 << row.reason
		}
	}
	return set
}
