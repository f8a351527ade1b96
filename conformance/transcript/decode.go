//go:build integration

package transcript

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgproto3"
)

// render writes a server's message as a line. What differs between any two servers is left out.
func render(received pgproto3.BackendMessage) string {
	name := messageName(received)
	switch m := received.(type) {
	case *pgproto3.RowDescription:
		return name + fields(m.Fields)
	case *pgproto3.DataRow:
		return name + row(m.Values)
	case *pgproto3.CommandComplete:
		return name + " " + quote(m.CommandTag)
	case *pgproto3.ReadyForQuery:
		return name + " " + transactionStatus(m.TxStatus)
	case *pgproto3.ErrorResponse:
		return name + report(m)
	case *pgproto3.NoticeResponse:
		return name + report((*pgproto3.ErrorResponse)(m))
	case *pgproto3.ParameterStatus:
		return name + parameter(m)
	case *pgproto3.ParameterDescription:
		return name + parameterTypes(m.ParameterOIDs)
	case *pgproto3.NotificationResponse:
		return name + fmt.Sprintf(" %q %q", m.Channel, m.Payload)
	case *pgproto3.CopyData:
		return name + " " + quote(m.Data)
	case *pgproto3.CopyInResponse:
		return name + copyFormats(m.OverallFormat, m.ColumnFormatCodes)
	case *pgproto3.CopyOutResponse:
		return name + copyFormats(m.OverallFormat, m.ColumnFormatCodes)
	case *pgproto3.FunctionCallResponse:
		return name + row([][]byte{m.Result})
	case *pgproto3.BackendKeyData:
		return name + fmt.Sprintf(" secret of %d bytes", len(m.SecretKey))
	case *pgproto3.NegotiateProtocolVersion:
		return name + newestVersion(m.NewestMinorProtocol) + fmt.Sprintf(" %q", m.UnrecognizedOptions)
	case *pgproto3.AuthenticationSASL:
		return name + fmt.Sprintf(" %q", m.AuthMechanisms)
	}
	return name
}

// newestVersion: PostgreSQL sends the whole version where the documentation speaks of the minor one.
func newestVersion(number uint32) string {
	return fmt.Sprintf(" %d.%d", number>>16, number&0xffff)
}

func messageName(received any) string {
	return strings.TrimPrefix(fmt.Sprintf("%T", received), "*pgproto3.")
}

// fields renders columns as name:type, with @n for column n of a table, and the format if it is not text.
func fields(columns []pgproto3.FieldDescription) string {
	var line strings.Builder
	for _, column := range columns {
		fmt.Fprintf(&line, " %s:%s", column.Name, typeName(column.DataTypeOID))
		if column.TypeModifier != -1 {
			fmt.Fprintf(&line, "(%d)", column.TypeModifier)
		}
		if column.TableOID != 0 {
			fmt.Fprintf(&line, "@%d", column.TableAttributeNumber)
		}
		if column.Format != 0 {
			line.WriteString("/" + formatName(column.Format))
		}
	}
	return line.String()
}

func formatName[code int16 | uint16 | byte](format code) string {
	switch format {
	case 0:
		return "text"
	case 1:
		return "binary"
	}
	return "format" + strconv.Itoa(int(format))
}

func typeName(oid uint32) string {
	const firstUserOID = 16384 // FirstNormalObjectId in PostgreSQL's transam.h
	if known, ok := types.TypeForOID(oid); ok {
		return known.Name
	}
	if oid >= firstUserOID {
		return "user-defined"
	}
	return strconv.Itoa(int(oid))
}

func row(values [][]byte) string {
	var line strings.Builder
	for _, value := range values {
		line.WriteByte(' ')
		if value == nil {
			line.WriteString("null")
			continue
		}
		line.WriteString(quote(value))
	}
	return line.String()
}

func parameterTypes(oids []uint32) string {
	var line strings.Builder
	for _, oid := range oids {
		line.WriteString(" " + typeName(oid))
	}
	return line.String()
}

func copyFormats(overall byte, columns []uint16) string {
	line := " " + formatName(overall)
	for _, column := range columns {
		line += " " + formatName(column)
	}
	return line
}

// parameter hides the one value that two installations never agree on.
func parameter(status *pgproto3.ParameterStatus) string {
	if status.Name == "server_version" {
		return " server_version=*"
	}
	return fmt.Sprintf(" %s=%q", status.Name, status.Value)
}

func transactionStatus(status byte) string {
	switch status {
	case 'I':
		return "idle"
	case 'T':
		return "transaction"
	case 'E':
		return "failed"
	}
	return strconv.QuoteRune(rune(status))
}

// report renders the fields of an error or a notice, without file, line and routine: they change with every
// release.
func report(m *pgproto3.ErrorResponse) string {
	var line strings.Builder
	fmt.Fprintf(&line, " %s %s %s", m.Severity, m.Code, quote([]byte(m.Message)))
	number := func(key string, value int32) {
		if value != 0 {
			fmt.Fprintf(&line, " %s=%d", key, value)
		}
	}
	text := func(key, value string) {
		if value != "" {
			fmt.Fprintf(&line, " %s=%s", key, quote([]byte(value)))
		}
	}
	text("detail", m.Detail)
	text("hint", m.Hint)
	number("position", m.Position)
	number("internal_position", m.InternalPosition)
	text("internal_query", m.InternalQuery)
	text("where", m.Where)
	text("schema", m.SchemaName)
	text("table", m.TableName)
	text("column", m.ColumnName)
	text("datatype", m.DataTypeName)
	text("constraint", m.ConstraintName)
	return line.String()
}
