package config

import "net/netip"

// Lane is a priority class, by its name.
type Lane string

// The lanes, from what must not wait to what may.
const (
	LaneCritical Lane = "critical"
	LaneHigh     Lane = "high"
	LaneNormal   Lane = "normal"
	LaneLow      Lane = "low"

	// LaneAuto is no lane: the highest one is as LaneAccess.HighestOfRest says.
	LaneAuto Lane = "auto"
)

var allLanes = []Lane{LaneCritical, LaneHigh, LaneNormal, LaneLow}

// Exceeding is what becomes of a request that asks for a lane above the one its client may use.
type Exceeding string

// What becomes of it.
const (
	ExceedingLower  Exceeding = "lower"
	ExceedingRefuse Exceeding = "refuse"
)

// LaneAccess says which lane the requests of a client belong to, and which it may ask for.
type LaneAccess struct {
	Default   Lane
	Highest   Lane // or LaneAuto
	Exceeding Exceeding
	Rules     []LaneRule
}

// LaneRule is an item of lanes.rules: clients that fit every list it gives are in its lane.
type LaneRule struct {
	Lane             Lane
	Highest          Lane // empty: Lane
	Users            []string
	Databases        []string
	ApplicationNames []string
	Addresses        []ClientAddress
}

// ClientAddress is where clients come from: a network, or Unix sockets if it is the zero value.
type ClientAddress struct{ netip.Prefix }

const localClients = "local"

func (a ClientAddress) String() string {
	if !a.IsValid() {
		return localClients
	}
	if a.IsSingleIP() {
		return a.Addr().String()
	}
	return a.Prefix.String()
}

// mappedBits is how long ::ffff:0:0/96 is, where IPv6 has IPv4 addresses.
const mappedBits = 96

func parseClientAddress(text string) (ClientAddress, error) {
	if text == localClients {
		return ClientAddress{}, nil
	}
	if address, err := netip.ParseAddr(text); err == nil && address.Zone() == "" {
		address = address.Unmap()
		return ClientAddress{netip.PrefixFrom(address, address.BitLen())}, nil
	}
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		return ClientAddress{}, errorf("is neither an address, a network such as 10.0.0.0/8, nor local")
	}
	if prefix.Addr().Is4In6() && prefix.Bits() >= mappedBits {
		prefix = netip.PrefixFrom(prefix.Addr().Unmap(), prefix.Bits()-mappedBits) // clients are looked up as IPv4
	}
	return ClientAddress{prefix.Masked()}, nil
}

// HighestOfRest is the highest lane clients without a rule may ask for: any while there are no rules, so that lanes can
// be tried out; once somebody has said who is who, none above their own.
func (a *LaneAccess) HighestOfRest() Lane {
	switch {
	case a.Highest != LaneAuto:
		return a.Highest
	case len(a.Rules) == 0:
		return LaneCritical
	}
	return a.Default
}

// HighestLane is the highest lane a client of the rule may ask for.
func (r *LaneRule) HighestLane() Lane {
	if r.Highest == "" {
		return r.Lane
	}
	return r.Highest
}

// maxLaneRules bounds what each login looks through.
const maxLaneRules = 1000

func laneRulePath(i int) string { return itemPath("lanes.rules", i) }
