package config

import (
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"unicode"

	"github.com/usher-pg/usher/internal/config/source"
)

// Validate checks what no option can check alone. A Config that Load, Parse or Set returned has passed it.
func (c *Config) Validate() error {
	report := source.NewReport("configuration", nil)
	d := &decoder{config: c, report: report, places: map[string]*source.Node{}}
	d.validate()
	return report.Err()
}

// conflict adds an error about an option, at the place of the option or of the nearest section that was
// given. It says nothing when the section already has an error: this one may only follow from that.
func (d *decoder) conflict(path, message, expected string) {
	section := path[:max(strings.LastIndexByte(path, '.'), 0)]
	if section != poolsPath && section != budgetsPath && d.hasFailed(section) || d.hasFailed(path) {
		return
	}
	at := d.places[path]
	if _, option, ok := splitPoolPath(path); ok && at == nil {
		at = d.places[join(defaultsPath, option)]
		if at != nil && d.report.Has(at, message) {
			return // one wrong default, wrong in many pools
		}
	}
	for section := path; at == nil && section != ""; {
		section = section[:max(strings.LastIndexByte(section, '.'), 0)]
		at = d.places[section]
	}
	d.report.At(at, path, message, expected)
}

// hasFailed reports whether an option of the section was not taken.
func (d *decoder) hasFailed(section string) bool {
	return section != "" && slices.ContainsFunc(d.failed, func(path string) bool {
		return path == section || strings.HasPrefix(path, section+".")
	})
}

func (d *decoder) validate() {
	d.validateListen()
	d.validateAuth()
	d.validateLanes()
	d.validateCalendars()
	d.validateRushHours()
	d.validatePoolNames()
	for _, name := range d.config.PoolNames() {
		d.validatePool(d.config.Pools[name])
	}
	d.validateBudgets()
}

// minToken is 128 bits, if every byte is a random one.
const minToken = 16

func (d *decoder) validateListen() {
	c := d.config
	if len(c.Listen) == 0 {
		d.conflict("listen", "is empty", "at least one address")
	}
	if taken(c.HTTP, c.Listen...) {
		d.conflict("http", "is also an address of listen", "a port of its own")
	}
	if taken(c.KEDA, c.Listen...) {
		d.conflict("keda", "is also an address of listen", "a port of its own")
	}
	if taken(c.KEDA, Address{Network: "tcp", Address: c.HTTP}) {
		d.conflict("keda", "is also the address of http", "a port of its own")
	}
	if n := len(c.HTTPAdminToken); n > 0 && n < minToken {
		d.conflict("http_admin_token", "is short enough to be guessed", fmt.Sprintf("at least %d bytes", minToken))
	}
}

// taken reports whether others listen at an address of TCP too. Empty is none, and the system gives out :0 only once.
func taken(address string, others ...Address) bool {
	return address != "" && !strings.HasSuffix(address, ":0") &&
		slices.Contains(others, Address{Network: "tcp", Address: address})
}

func (d *decoder) validateAuth() {
	a, t := d.config.Auth, d.config.TLS
	needsFile := a.Type == AuthPassword || a.Type == AuthMD5 || a.Type == AuthSCRAM
	if needsFile && a.UsersFile == "" {
		d.conflict("auth.users_file", fmt.Sprintf("is missing, auth.type %s needs it", a.Type), "a path")
	}
	if a.Type == AuthCert && !t.SSLMode.verifies() {
		d.conflict("auth.type", "cert needs client certificates", "tls.sslmode verify-ca or verify-full")
	}
	if (t.Cert == "") != (t.Key == "") {
		d.conflict("tls", "has only one of cert and key", "both")
	}
	if t.SSLMode != SSLDisable && t.Cert == "" && t.Key == "" {
		d.conflict("tls.cert", fmt.Sprintf("is missing, tls.sslmode %s needs it", t.SSLMode), "cert and key")
	}
	if t.SSLMode.verifies() && t.CA == "" {
		d.conflict("tls.ca", fmt.Sprintf("is missing, tls.sslmode %s needs it", t.SSLMode), "a path")
	}
}

// validateLanes holds the highest lane clients may ask for against the lane they are in anyway.
func (d *decoder) validateLanes() {
	rank := func(l Lane) int { return slices.Index(allLanes, l) }
	lanes := &d.config.Lanes
	if highest := lanes.HighestOfRest(); rank(highest) > rank(lanes.Default) {
		d.conflict("lanes.highest", "is below lanes.default", fmt.Sprintf("%s or above", lanes.Default))
	}
	for i := range lanes.Rules {
		if r := &lanes.Rules[i]; rank(r.HighestLane()) > rank(r.Lane) {
			d.conflict(laneRulePath(i)+".highest", "is below the rule's lane", fmt.Sprintf("%s or above", r.Lane))
		}
	}
}

// maxName is NAMEDATALEN - 1 of PostgreSQL: no database has a longer name.
const maxName = 63

func (d *decoder) validatePoolNames() {
	if len(d.config.Pools) == 0 {
		d.conflict(poolsPath, "there is no pool", `at least one, such as app: {url: "postgres://db:5432/app"}`)
	}
	for _, name := range d.config.PoolNames() {
		switch {
		case name == "pgbouncer" || name == "usher":
			d.conflict(poolPath(name), "is the name of the console", "another name")
		case name == "" || len(name) > maxName:
			d.conflict(poolPath(name), "is not a database's name", fmt.Sprintf("1 to %d bytes", maxName))
		case strings.ContainsFunc(name, unicode.IsControl):
			d.conflict(poolPath(name), "has a control character", "a database's name")
		}
	}
}

func (d *decoder) validatePool(p *Pool) {
	path := poolPath(p.Name)
	if p.Password != "" && p.User == "" {
		d.conflict(path+".password", "belongs to no user", "user: as well")
	}
	d.validateOptions(path, &p.PoolOptions)
}

func (d *decoder) validateOptions(path string, o *PoolOptions) {
	if s := o.Size; s.Min > s.Max {
		d.conflict(path+".size.min", "is more than size.max", fmt.Sprintf("at most %d", s.Max))
	}
	if s := o.Size; s.Max+s.Reserve > maxConnections {
		d.conflict(path+".size", "max and reserve are more than PostgreSQL can have",
			fmt.Sprintf("at most %d together", maxConnections))
	}
	if wait, slo := o.Timeouts.QueryWait, o.Lanes.AcquireSLO; wait != 0 && wait <= slo {
		d.conflict(path+".timeouts.query_wait", "is not longer than lanes.acquire_slo: the reserve is never used",
			"more than "+durationText(slo))
	}
	d.validateServerTLS(path+".tls", o.TLS)
}

func (d *decoder) validateServerTLS(path string, t ServerTLS) {
	if (t.Cert == "") != (t.Key == "") {
		d.conflict(path, "has only one of cert and key", "both")
	}
	if t.SSLMode.verifies() && t.CA == "" {
		d.conflict(path+".ca", fmt.Sprintf("is missing, sslmode %s needs it", t.SSLMode), `a path, or "system"`)
	}
	if t.CA == SystemCA && t.SSLMode != SSLVerifyFull {
		d.conflict(path+".ca", "system is too weak without a check of the host's name", "sslmode verify-full")
	}
	if t.Negotiation == NegotiateDirect && !t.SSLMode.encrypts() {
		d.conflict(path+".negotiation", "direct cannot fall back to plain text", "sslmode require or stronger")
	}
}

// validateBudgets holds the guarantees against the budgets: what pools must keep open has to fit.
func (d *decoder) validateBudgets() {
	if d.hasFailed(poolsPath) {
		return
	}
	guaranteed := map[string]int{}
	for _, p := range d.config.Pools {
		guaranteed[p.Target.Server()] += p.Size.Min + p.Size.Reserve
	}
	for _, server := range slices.Sorted(maps.Keys(d.config.Budgets)) {
		path := keyPath(budgetsPath, server)
		need, used := guaranteed[server]
		switch {
		case !isServer(server):
			d.conflict(path, "is not a database server", "host:port, or directory:port for a Unix socket")
		case !used:
			servers := slices.Sorted(maps.Keys(guaranteed))
			d.conflict(path, "no pool leads to this server", "one of "+strings.Join(servers, ", "))
		case need > d.config.Budgets[server]:
			d.conflict(path, fmt.Sprintf("is %d, but size.min and size.reserve of its pools add up to %d",
				d.config.Budgets[server], need), "at least that")
		}
	}
}

func isServer(s string) bool {
	host, port, err := net.SplitHostPort(s)
	if err != nil || host == "" {
		return false
	}
	_, err = parsePort(port)
	return err == nil
}
