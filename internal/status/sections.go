package status

import (
	"fmt"
	"slices"
	"strings"
)

// Sections says which parts of a snapshot to gather.
type Sections uint32

// The parts of a snapshot. Version, Now, StartedAt and State are always there.
const (
	SectionClients Sections = 1 << iota
	SectionServers
	SectionPools // with their lanes, and the budgets
	SectionDatabases
	SectionUsers
	SectionStats
	SectionLists
	SectionConfig
	SectionLoops
	SectionMemory
	SectionListeners
	SectionLogins
	SectionAcquisitions // in fine buckets, 20 kB a pool
	SectionEmergencies  // those in force, and the latest that ended
	SectionForecasts    // with all points, 200 kB a pool
	SectionScaling      // decisions, shortfalls, and the history they stand on
	SectionCalendars    // and the events that come
	SectionTuning
	sectionsEnd
)

// AllSections asks for everything.
const AllSections = sectionsEnd - 1

// SummarySections is everything but what grows with the number of connections and what only a subtraction needs.
const SummarySections = AllSections &^ (SectionClients | SectionServers | SectionAcquisitions | SectionForecasts)

// Has reports whether all of want is in s.
func (s Sections) Has(want Sections) bool { return s&want == want }

// sectionNames are the sections as a URL or a person names them.
var sectionNames = []namedSection{
	{"clients", SectionClients},
	{"servers", SectionServers},
	{"pools", SectionPools},
	{"databases", SectionDatabases},
	{"users", SectionUsers},
	{"stats", SectionStats},
	{"lists", SectionLists},
	{"config", SectionConfig},
	{"loops", SectionLoops},
	{"memory", SectionMemory},
	{"listeners", SectionListeners},
	{"logins", SectionLogins},
	{"acquisitions", SectionAcquisitions},
	{"emergencies", SectionEmergencies},
	{"forecasts", SectionForecasts},
	{"scaling", SectionScaling},
	{"calendars", SectionCalendars},
	{"tuning", SectionTuning},
	{"summary", SummarySections},
	{"all", AllSections},
}

type namedSection struct {
	name    string
	section Sections
}

// ParseSections reads a list as "pools,stats"; "summary" and "all" are names too.
func ParseSections(list string) (Sections, error) {
	var sections Sections
	for name := range strings.SplitSeq(list, ",") {
		i := slices.IndexFunc(sectionNames, func(n namedSection) bool { return n.name == name })
		if i < 0 {
			return 0, fmt.Errorf("unknown section %q: want a list of %s", name, knownSections())
		}
		sections |= sectionNames[i].section
	}
	return sections, nil
}

func knownSections() string {
	names := make([]string, len(sectionNames))
	for i, n := range sectionNames {
		names[i] = n.name
	}
	return strings.Join(names, ", ")
}
