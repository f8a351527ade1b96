package lanes

import (
	"net/netip"
	"slices"
	"strings"
)

// Client is what is known of a client when it logs in.
type Client struct {
	User        string
	Database    string
	Application string
	Address     netip.Addr // not valid: a Unix socket
}

// A Rule gives the clients it fits their grant. A client fits when it fits each list that is not empty. Texts may hold
// * for any number of any characters.
type Rule struct {
	Users        []string
	Databases    []string
	Applications []string
	Addresses    []netip.Prefix
	Local        bool // with Addresses: Unix sockets fit, too
	Grant        Grant
}

// Rules are tried in their order; the first that fits counts.
type Rules struct {
	List []Rule
	Rest Grant // of clients that no rule fits
}

// For is the grant of a client.
func (r *Rules) For(c *Client) Grant {
	for i := range r.List {
		if r.List[i].fits(c) {
			return r.List[i].Grant
		}
	}
	return r.Rest
}

func (r *Rule) fits(c *Client) bool {
	return fitsAny(r.Users, c.User) && fitsAny(r.Databases, c.Database) && fitsAny(r.Applications, c.Application) &&
		r.fitsAddress(c.Address)
}

func (r *Rule) fitsAddress(address netip.Addr) bool {
	if len(r.Addresses) == 0 && !r.Local {
		return true
	}
	if !address.IsValid() {
		return r.Local
	}
	address = address.Unmap().WithZone("") // no network has a zone
	return slices.ContainsFunc(r.Addresses, func(p netip.Prefix) bool { return p.Contains(address) })
}

func fitsAny(patterns []string, text string) bool {
	return len(patterns) == 0 || slices.ContainsFunc(patterns, func(p string) bool { return fits(p, text) })
}

// fits matches a text against a pattern with *. What stands between two stars is found where it comes first, which is
// enough: the last part must be at the end anyway.
func fits(pattern, text string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == text
	}
	first, last := parts[0], parts[len(parts)-1]
	rest, ok := strings.CutPrefix(text, first)
	if !ok {
		return false
	}
	for _, part := range parts[1 : len(parts)-1] {
		if _, rest, ok = strings.Cut(rest, part); !ok {
			return false
		}
	}
	return strings.HasSuffix(rest, last)
}
