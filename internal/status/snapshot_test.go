package status

import (
	"encoding/json"
	"errors"
	"testing"
)

func TestSummaryLeavesOutWhatGrowsWithConnections(t *testing.T) {
	t.Parallel()
	if SummarySections.Has(SectionClients) || SummarySections.Has(SectionServers) {
		t.Error("the summary lists connections")
	}
	rest := SectionClients | SectionServers | SectionAcquisitions | SectionForecasts
	if SummarySections|rest != AllSections || !AllSections.Has(SectionLogins) {
		t.Error("the summary lacks a section")
	}
}

func TestSectionsAreReadFromAList(t *testing.T) {
	t.Parallel()
	tests := map[string]Sections{
		"pools": SectionPools, "pools,stats": SectionPools | SectionStats, "all": AllSections,
		"summary,clients": SummarySections | SectionClients,
	}
	for list, want := range tests {
		if got, err := ParseSections(list); err != nil || got != want {
			t.Errorf("%q = %b, %v, want %b", list, got, err, want)
		}
	}
	for _, list := range []string{"", "pools,", "Pools", "pools stats", "x"} {
		if got, err := ParseSections(list); err == nil {
			t.Errorf("%q = %b, want an error", list, got)
		}
	}
}

func TestEverySectionHasAName(t *testing.T) {
	t.Parallel()
	for section := SectionClients; section < sectionsEnd; section <<= 1 {
		named := false
		for _, n := range sectionNames {
			named = named || n.section == section
		}
		if !named {
			t.Errorf("section %b has no name", section)
		}
	}
}

func TestASectionThatWasNotGatheredIsNotInTheJSON(t *testing.T) {
	t.Parallel()
	text, err := json.Marshal(Snapshot{Version: "1", State: Active})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"version":"1","now":"0001-01-01T00:00:00Z","started_at":"0001-01-01T00:00:00Z","state":"active"}`
	if string(text) != want {
		t.Errorf("got %s, want %s", text, want)
	}
}

func TestARefusalIsItsText(t *testing.T) {
	t.Parallel()
	err := NoPool("shop")
	refused, ok := errors.AsType[*Refusal](err)
	if !ok || refused.Cause != NoSuchPool || err.Error() != "no such database: shop" {
		t.Errorf("got %#v", err)
	}
}

func TestCountsAddUp(t *testing.T) {
	t.Parallel()
	clients := ClientCounts{Idle: 1, Linked: 2, Waiting: 4, Held: 8, ActiveCancel: 16, WaitingCancel: 32}
	if got := clients.Total(); got != 15 {
		t.Errorf("clients: %d, want 15", got)
	}
	servers := ServerCounts{Active: 1, ActiveCancel: 2, BeingCanceled: 4, Idle: 8, Used: 16, Tested: 32, Login: 64}
	if got := servers.Total(); got != 127 {
		t.Errorf("server connections: %d, want 127", got)
	}
}
