package routing

import (
	"net/netip"

	"github.com/usher-pg/usher/internal/config"
	"github.com/usher-pg/usher/internal/lanes"
	engine "github.com/usher-pg/usher/pool"
)

var engineLanes = map[config.Lane]engine.Lane{
	config.LaneCritical: engine.Critical, config.LaneHigh: engine.High, config.LaneNormal: engine.Normal,
	config.LaneLow: engine.Low,
}

// lanesOf is who may use which lane.
func lanesOf(c *config.LaneAccess) *lanes.Rules {
	grant := func(lane, highest config.Lane) lanes.Grant {
		return lanes.Grant{
			Lane: engineLanes[lane], Highest: engineLanes[highest], Refuse: c.Exceeding == config.ExceedingRefuse,
		}
	}
	rules := &lanes.Rules{Rest: grant(c.Default, c.HighestOfRest())}
	for i := range c.Rules {
		r := &c.Rules[i]
		rule := lanes.Rule{
			Users: r.Users, Databases: r.Databases, Applications: r.ApplicationNames, Grant: grant(r.Lane, r.HighestLane()),
		}
		for _, a := range r.Addresses {
			if a.IsValid() {
				rule.Addresses = append(rule.Addresses, netip.Prefix(a.Prefix))
			} else {
				rule.Local = true
			}
		}
		rules.List = append(rules.List, rule)
	}
	return rules
}
