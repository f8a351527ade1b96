package wire

// Type is the first byte of a message. The same byte means different things in the two directions, so the constants say
// which direction they belong to.
type Type byte

// Messages a client sends.
const (
	Bind           Type = 'B'
	Close          Type = 'C'
	CopyFail       Type = 'f'
	Describe       Type = 'D'
	Execute        Type = 'E'
	Flush          Type = 'H'
	FunctionCall   Type = 'F'
	Parse          Type = 'P'
	PasswordOrSASL Type = 'p'
	Query          Type = 'Q'
	Sync           Type = 'S'
	Terminate      Type = 'X'
)

// Messages both sides send.
const (
	CopyData Type = 'd'
	CopyDone Type = 'c'
)

// Messages a server sends.
const (
	Authentication           Type = 'R'
	BackendKeyData           Type = 'K'
	BindComplete             Type = '2'
	CloseComplete            Type = '3'
	CommandComplete          Type = 'C'
	CopyBothResponse         Type = 'W'
	CopyInResponse           Type = 'G'
	CopyOutResponse          Type = 'H'
	DataRow                  Type = 'D'
	EmptyQueryResponse       Type = 'I'
	ErrorResponse            Type = 'E'
	FunctionCallResponse     Type = 'V'
	NegotiateProtocolVersion Type = 'v'
	NoData                   Type = 'n'
	NoticeResponse           Type = 'N'
	NotificationResponse     Type = 'A'
	ParameterDescription     Type = 't'
	ParameterStatus          Type = 'S'
	ParseComplete            Type = '1'
	PortalSuspended          Type = 's'
	ReadyForQuery            Type = 'Z'
	RowDescription           Type = 'T'
)

// Transaction status bytes of ReadyForQuery.
const (
	StatusIdle          byte = 'I'
	StatusInTransaction byte = 'T'
	StatusFailed        byte = 'E'
)

// Kinds of object that Describe and Close name.
const (
	KindStatement byte = 'S'
	KindPortal    byte = 'P'
)

// IsClient reports whether a client may send a message of type t once it is logged in.
func (t Type) IsClient() bool {
	switch t {
	case Bind, Close, CopyFail, Describe, Execute, Flush, FunctionCall, Parse, Query, Sync, Terminate, CopyData, CopyDone:
		return true
	}
	return false
}

// IsServer reports whether a server may send a message of type t once the login is over.
func (t Type) IsServer() bool {
	switch t {
	case BindComplete, CloseComplete, CommandComplete, CopyBothResponse, CopyInResponse, CopyOutResponse, DataRow,
		EmptyQueryResponse, ErrorResponse, FunctionCallResponse, NoData, NoticeResponse, NotificationResponse,
		ParameterDescription, ParameterStatus, ParseComplete, PortalSuspended, ReadyForQuery, RowDescription,
		CopyData, CopyDone:
		return true
	}
	return false
}

// String is the byte itself in quotes, for logs and errors.
func (t Type) String() string {
	if t < ' ' || t > '~' {
		const hex = "0123456789abcdef"
		return string([]byte{'0', 'x', hex[t>>4], hex[t&15]})
	}
	return string([]byte{'\'', byte(t), '\''})
}
