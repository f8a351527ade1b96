package config

import "strings"

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
		}, func(c *Config) value { return laneRules(&c.Lanes.Rules) }},
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

// laneRules are lanes.rules.
func laneRules(at *[]LaneRule) sections[LaneRule] {
	return sections[LaneRule]{at: at, one: "rule", rows: laneRuleRows(), needs: []string{"lane"}, most: maxLaneRules}
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
