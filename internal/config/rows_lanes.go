package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/usher-pg/usher/internal/config/source"
)

func laneAccessRows() []row[Config] {
	return []row[Config]{
		{Option{
			Path: "lanes.default", Reloadable: true,
			Doc: "Lane of the requests of clients that no rule fits and that ask for none. A client asks with the " +
				"startup option usher.lane, with SET usher.lane, or for one statement with a comment: " +
				"/* usher:lane=critical */ at its beginning, or /*lane='critical'*/ at its end.",
		}, func(c *Config) value { return choice[Lane]{&c.Lanes.Default, allLanes} }},
		{Option{
			Path: "lanes.highest", Reloadable: true,
			Doc: "Highest lane such clients may ask for. auto: any as long as there are no rules, and lanes.default once " +
				"there are.",
		}, func(c *Config) value { return choice[Lane]{&c.Lanes.Highest, append([]Lane{LaneAuto}, allLanes...)} }},
		{Option{
			Path: "lanes.exceeding", Reloadable: true,
			Doc: "What becomes of a request that asks for a lane above the highest of its client: lower puts it into " +
				"that one, refuse refuses it with SQLSTATE 42501. Both are counted.",
		}, func(c *Config) value {
			return choice[Exceeding]{&c.Lanes.Exceeding, []Exceeding{ExceedingLower, ExceedingRefuse}}
		}},
		{Option{
			Path: "lanes.rules", Reloadable: true,
			Doc: "Who is in which lane. A rule fits a client that fits all of users, databases, application_names and " +
				"addresses it gives; the first rule that fits counts. It is looked for when the client logs in. Texts " +
				"may hold * for any characters. addresses are addresses, networks, or local for Unix sockets. lane is " +
				"the lane of the client's requests, highest the highest one it may ask for; without it that is lane.",
		}, func(c *Config) value { return laneRules{&c.Lanes.Rules} }},
	}
}

func laneRuleRows() []row[LaneRule] {
	return []row[LaneRule]{
		{Option{Path: "lane"}, func(r *LaneRule) value { return choice[Lane]{&r.Lane, allLanes} }},
		{Option{Path: "highest"}, func(r *LaneRule) value { return choice[Lane]{&r.Highest, allLanes} }},
		{Option{Path: "users"}, func(r *LaneRule) value { return names{&r.Users, "users"} }},
		{Option{Path: "databases"}, func(r *LaneRule) value { return names{&r.Databases, "databases"} }},
		{
			Option{Path: "application_names"},
			func(r *LaneRule) value { return names{&r.ApplicationNames, "application names"} },
		},
		{Option{Path: "addresses"}, func(r *LaneRule) value { return clientAddresses{&r.Addresses} }},
	}
}

// laneRules is a list of sections. Only the file can give it.
type laneRules struct {
	at *[]LaneRule
}

func (v laneRules) kind() string {
	return "list of rules, each {lane: …, highest: …, users: […], databases: […], application_names: […], addresses: […]}"
}
func (v laneRules) place() any       { return v.at }
func (v laneRules) bouncer() string  { return v.text() }
func (v laneRules) set(string) error { return ErrOnlyInFile }
func (v laneRules) text() string {
	var rules []string
	for _, r := range *v.at {
		var keys []string
		for _, row := range laneRuleRows() {
			if text := row.at(&r).text(); text != "" && text != "[]" {
				keys = append(keys, row.Path+": "+text)
			}
		}
		rules = append(rules, "{"+strings.Join(keys, ", ")+"}")
	}
	return "[" + strings.Join(rules, ", ") + "]"
}

// take takes the items of the list. It reports whether all were taken.
func (v laneRules) take(d *decoder, e source.Entry, path string) bool {
	if e.Value.Kind != source.List {
		d.report.At(placed(e), path, "is "+e.Value.Kind.String(), v.kind())
		return false
	}
	if len(e.Value.Items) > maxLaneRules {
		d.report.At(placed(e), path, "has too many rules", fmt.Sprintf("at most %d", maxLaneRules))
		return false
	}
	problems := d.report.Len()
	rules := make([]LaneRule, len(e.Value.Items))
	for i, item := range e.Value.Items {
		if item.Kind != source.Map {
			d.report.At(item, path, "an item of the list is "+item.Kind.String(), v.kind())
			continue
		}
		entries := d.unique(item, laneRulePath(i))
		for _, inner := range entries {
			assignIn(d, inner, laneRulePath(i), "", laneRuleRows(), &rules[i], nil)
		}
		if !slices.ContainsFunc(entries, func(e source.Entry) bool { return e.Key.Text == "lane" }) {
			d.report.At(item, laneRulePath(i), "has no lane", "one of critical, high, normal, low")
		}
	}
	if d.report.Len() > problems {
		return false
	}
	*v.at = rules
	return true
}

// clientAddresses is where clients of a rule come from.
type clientAddresses struct {
	at *[]ClientAddress
}

func (v clientAddresses) kind() string          { return "list of addresses, networks, or local" }
func (v clientAddresses) bouncer() string       { return v.text() }
func (v clientAddresses) place() any            { return v.at }
func (v clientAddresses) set(text string) error { return firstOf(v.setList(splitList(text))) }
func (v clientAddresses) text() string {
	texts := make([]string, len(*v.at))
	for i, a := range *v.at {
		texts[i] = a.String()
	}
	return "[" + strings.Join(texts, ", ") + "]"
}

func (v clientAddresses) setList(items []string) []itemError {
	var bad []itemError
	var list []ClientAddress
	for i, s := range items {
		a, err := parseClientAddress(s)
		if err != nil {
			bad = append(bad, itemError{i, err})
		}
		list = append(list, a)
	}
	if bad == nil {
		*v.at = list
	}
	return bad
}
