package config

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const withRules = `
auth: {type: trust}
pools: {app: {url: "postgres://u@h/app"}}
lanes:
  exceeding: refuse
  rules:
    - {users: [checkout, "pay_*"], databases: [app], lane: critical}
    - application_names: ["report*"]
      addresses: [10.1.2.3, 10.0.0.7/8, "fd00::/8", "::ffff:10.9.0.0/112", local]
      lane: low
      highest: normal
`

func TestLaneRules(t *testing.T) {
	t.Parallel()
	c := parse(t, withRules)
	want := LaneAccess{
		Default: LaneNormal, Highest: LaneAuto, Exceeding: ExceedingRefuse,
		Rules: []LaneRule{
			{Lane: LaneCritical, Users: []string{"checkout", "pay_*"}, Databases: []string{"app"}},
			{
				Lane: LaneLow, Highest: LaneNormal, ApplicationNames: []string{"report*"},
				Addresses: []ClientAddress{
					{netip.MustParsePrefix("10.1.2.3/32")}, {netip.MustParsePrefix("10.0.0.0/8")},
					{netip.MustParsePrefix("fd00::/8")}, {netip.MustParsePrefix("10.9.0.0/16")}, {},
				},
			},
		},
	}
	if diff := cmp.Diff(want, c.Lanes, cmpopts.EquateComparable(netip.Prefix{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := c.Lanes.HighestOfRest(); got != LaneNormal {
		t.Errorf("with rules the rest may ask for %s", got)
	}
	if got := Default().Lanes.HighestOfRest(); got != LaneCritical {
		t.Errorf("without rules the rest may ask for %s", got)
	}
	shown := `[{lane: critical, users: [checkout, pay_*], databases: [app]}, {lane: low, highest: normal, ` +
		`application_names: [report*], addresses: [10.1.2.3, 10.0.0.0/8, fd00::/8, 10.9.0.0/16, local]}]`
	if got := laneRules(&c.Lanes.Rules).text(); got != shown {
		t.Errorf("shown as %s", got)
	}
	if _, err := c.Set("lanes.rules", "[]"); err == nil {
		t.Error("SET takes rules")
	}
	if changes := Diff(Default(), c); changes[2].Path != "lanes.rules" || changes[2].New != shown {
		t.Errorf("changes %+v", changes)
	}
	if d := c.Clone(); !cmp.Equal(c.Lanes, d.Lanes, cmpopts.EquateComparable(netip.Prefix{})) {
		t.Error("a clone has other rules")
	}
}

func TestWrongLaneRulesAreRefused(t *testing.T) {
	t.Parallel()
	for rules, want := range map[string]string{
		"{users: [a]}":                           "is a section",
		"[a]":                                    "an item of the list is",
		"[{users: [a]}]":                         "lanes.rules[0]: has no lane",
		"[{lane: urgent}]":                       "lanes.rules[0].lane: is not known",
		"[{lane: low}, {lane: low, user: a}]":    "lanes.rules[1].user: there is no such option",
		"[{lane: low, users: a}]":                "lanes.rules[0].users: is",
		"[{lane: low, addresses: [10.0.0.256]}]": "is neither an address",
		"[{lane: high, highest: low}]":           "lanes.rules[0].highest: is below the rule's lane",
		"[" + strings.Repeat("{lane: low},\n ", maxLaneRules) + "{lane: low}]": "has too many rules",
	} {
		_, err := Parse("x.yaml", []byte("pools: {app: {url: \"postgres://u@h/app\"}}\nlanes: {rules: "+rules+"}\n"))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: error %v, want %q", rules, err, want)
		}
	}
}
