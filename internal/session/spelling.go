package session

import "strings"

// spelled is how PostgreSQL would report a value a client asks for, as far as that can be known without
// asking: drivers read client_encoding and DateStyle from the welcome. reported is what the server has
// without the client's wish.
func spelled(name, wanted, reported string) string {
	switch name {
	case "client_encoding":
		upper := strings.ToUpper(strings.ReplaceAll(wanted, "-", ""))
		if upper == "UNICODE" {
			return "UTF8"
		}
		return upper
	case "datestyle":
		if style, ok := spelledDateStyle(wanted, reported); ok {
			return style
		}
	}
	return wanted
}

// spelledDateStyle follows check_datestyle of PostgreSQL's variable.c: style and order in any sequence, each
// kept as it is when it is not mentioned, except that German brings its own order.
func spelledDateStyle(wanted, reported string) (string, bool) {
	style, order, _ := strings.Cut(reported, ", ")
	ordered := false
	for _, word := range strings.Split(wanted, ",") {
		switch word = strings.ToLower(strings.TrimSpace(word)); {
		case word == "iso", word == "sql":
			style = strings.ToUpper(word)
		case strings.HasPrefix(word, "postgres"):
			style = "Postgres"
		case word == "german":
			style = "German"
			if !ordered {
				order = "DMY"
			}
		case word == "ymd":
			order, ordered = "YMD", true
		case word == "dmy", strings.HasPrefix(word, "euro"):
			order, ordered = "DMY", true
		case word == "mdy", word == "us", strings.HasPrefix(word, "noneuro"):
			order, ordered = "MDY", true
		default:
			return "", false
		}
	}
	return style + ", " + order, true
}
