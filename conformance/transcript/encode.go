//go:build integration

package transcript

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgtype"
)

var types = pgtype.NewMap()

// message is something a file sends: its name, to know what it makes the server answer, and its bytes.
type message struct {
	name  string
	bytes []byte
}

// encode turns a line such as `Parse "s1" "SELECT $1" int4` into bytes.
func encode(line string) (message, error) {
	name, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
	arguments, err := tokens(rest)
	if err != nil {
		return message{}, err
	}
	if name == "raw" {
		return rawBytes(arguments)
	}
	build, ok := encoders[name]
	if !ok {
		return message{}, fmt.Errorf("unknown message %q", name)
	}
	built, err := build(&reader{tokens: arguments})
	if err != nil {
		return message{}, fmt.Errorf("%s: %w", name, err)
	}
	encoded, err := built.Encode(nil)
	if err != nil {
		return message{}, fmt.Errorf("%s: %w", name, err)
	}
	return message{name, encoded}, nil
}

// rawBytes takes hexadecimal words and strings: raw 51 00000005 "\x00".
func rawBytes(arguments []token) (message, error) {
	raw := message{name: "raw"}
	for _, argument := range arguments {
		if argument.quoted {
			raw.bytes = append(raw.bytes, argument.text...)
			continue
		}
		decoded, err := hex.DecodeString(argument.text)
		if err != nil {
			return message{}, err
		}
		raw.bytes = append(raw.bytes, decoded...)
	}
	return raw, nil
}

// reader hands out the arguments of a message in order; a missing one is empty.
type reader struct{ tokens []token }

func (r *reader) next() string {
	if len(r.tokens) == 0 {
		return ""
	}
	first := r.tokens[0]
	r.tokens = r.tokens[1:]
	return first.text
}

func (r *reader) option(key string) string {
	for _, t := range r.tokens {
		if t.key == key {
			return t.text
		}
	}
	return ""
}

var encoders = map[string]func(*reader) (pgproto3.FrontendMessage, error){
	"Query": func(r *reader) (pgproto3.FrontendMessage, error) {
		return &pgproto3.Query{String: r.next()},
			nil
	},
	"Sync":      func(*reader) (pgproto3.FrontendMessage, error) { return &pgproto3.Sync{}, nil },
	"Flush":     func(*reader) (pgproto3.FrontendMessage, error) { return &pgproto3.Flush{}, nil },
	"Terminate": func(*reader) (pgproto3.FrontendMessage, error) { return &pgproto3.Terminate{}, nil },
	"CopyDone":  func(*reader) (pgproto3.FrontendMessage, error) { return &pgproto3.CopyDone{}, nil },
	"CopyData": func(r *reader) (pgproto3.FrontendMessage, error) {
		return &pgproto3.CopyData{Data: []byte(r.next())}, nil
	},
	"CopyFail": func(r *reader) (pgproto3.FrontendMessage,
		error) {
		return &pgproto3.CopyFail{Message: r.next()}, nil
	},
	"SSLRequest":    func(*reader) (pgproto3.FrontendMessage, error) { return &pgproto3.SSLRequest{}, nil },
	"GSSENCRequest": func(*reader) (pgproto3.FrontendMessage, error) { return &pgproto3.GSSEncRequest{}, nil },
	"Execute":       encodeExecute,
	"Startup":       encodeStartup,
	"Parse":         encodeParse,
	"Bind":          encodeBind,
	"FunctionCall":  encodeFunctionCall,
	"Describe": func(r *reader) (pgproto3.FrontendMessage, error) {
		kind, err := objectKind(r.next())
		return &pgproto3.Describe{ObjectType: kind, Name: r.next()}, err
	},
	"Close": func(r *reader) (pgproto3.FrontendMessage, error) {
		kind, err := objectKind(r.next())
		return &pgproto3.Close{ObjectType: kind, Name: r.next()}, err
	},
}

func objectKind(word string) (byte, error) {
	switch word {
	case "statement":
		return 'S', nil
	case "portal":
		return 'P', nil
	}
	return 0, fmt.Errorf("expected statement or portal, found %q", word)
}

func encodeExecute(r *reader) (pgproto3.FrontendMessage, error) {
	execute := &pgproto3.Execute{Portal: r.next()}
	if len(r.tokens) > 0 {
		limit, err := strconv.ParseUint(r.next(), 10, 32)
		if err != nil {
			return nil, err
		}
		execute.MaxRows = uint32(limit)
	}
	return execute, nil
}

// startup keeps the order of its parameters, which answers repeat; pgproto3's keeps them in a map.
type startup struct {
	version    uint32
	parameters []token
}

func (*startup) Frontend()           {}
func (*startup) Decode([]byte) error { return errors.ErrUnsupported }

func (s *startup) Encode(dst []byte) ([]byte, error) {
	body := binary.BigEndian.AppendUint32(nil, s.version)
	for _, parameter := range s.parameters {
		body = append(body, parameter.key+"\x00"+parameter.text+"\x00"...)
	}
	body = append(body, 0)
	return append(binary.BigEndian.AppendUint32(dst, uint32(4+len(body))), body...), nil
}

// encodeStartup takes the version and the parameters: Startup 3.2 user=u database=d.
func encodeStartup(r *reader) (pgproto3.FrontendMessage, error) {
	var major, minor uint32
	if _, err := fmt.Sscanf(r.next(), "%d.%d", &major, &minor); err != nil {
		return nil, err
	}
	return &startup{version: major<<16 | minor, parameters: r.tokens}, nil
}

func encodeParse(r *reader) (pgproto3.FrontendMessage, error) {
	parse := &pgproto3.Parse{Name: r.next(), Query: r.next()}
	for _, t := range r.tokens {
		oid, err := typeOID(t.text)
		if err != nil {
			return nil, err
		}
		parse.ParameterOIDs = append(parse.ParameterOIDs, oid)
	}
	return parse, nil
}

func typeOID(name string) (uint32, error) {
	if known, ok := types.TypeForName(name); ok {
		return known.OID, nil
	}
	oid, err := strconv.ParseUint(name, 10, 32)
	return uint32(oid), err
}

// encodeBind: Bind "portal" "statement" "value" null formats=text,binary results=binary.
func encodeBind(r *reader) (pgproto3.FrontendMessage, error) {
	bind := &pgproto3.Bind{
		ParameterFormatCodes: formatCodes(r.option("formats")),
		ResultFormatCodes:    formatCodes(r.option("results")),
		DestinationPortal:    r.next(),
		PreparedStatement:    r.next(),
	}
	bind.Parameters = values(r.tokens)
	return bind, nil
}

func values(arguments []token) [][]byte {
	var all [][]byte
	for _, t := range arguments {
		switch {
		case t.key != "":
		case t.text == "null" && !t.quoted:
			all = append(all, nil)
		default:
			all = append(all, []byte(t.text))
		}
	}
	return all
}

func formatCodes(list string) []int16 {
	var codes []int16
	for word := range strings.SplitSeq(list, ",") {
		switch word {
		case "text":
			codes = append(codes, 0)
		case "binary":
			codes = append(codes, 1)
		}
	}
	return codes
}

// encodeFunctionCall: FunctionCall 1598 "argument" formats=text results=text.
func encodeFunctionCall(r *reader) (pgproto3.FrontendMessage, error) {
	call := &pgproto3.FunctionCall{}
	for _, code := range formatCodes(r.option("formats")) {
		call.ArgFormatCodes = append(call.ArgFormatCodes, uint16(code))
	}
	for _, code := range formatCodes(r.option("results")) {
		call.ResultFormatCode = uint16(code)
	}
	oid, err := strconv.ParseUint(r.next(), 10, 32)
	call.Function = uint32(oid)
	call.Arguments = values(r.tokens)
	return call, err
}
