package lanes

import (
	"net/netip"
	"testing"

	"github.com/usher-pg/usher/pool"
)

func TestFirstRuleThatFitsCounts(t *testing.T) {
	t.Parallel()
	give := func(lane pool.Lane) Grant { return Grant{Lane: lane, Highest: lane} }
	inner := []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fe80::/10")}
	rules := Rules{
		List: []Rule{
			{Users: []string{"checkout", "pay_*"}, Databases: []string{"shop"}, Grant: give(pool.Critical)},
			{Applications: []string{"report*", "*batch*"}, Grant: give(pool.Low)},
			{Addresses: inner, Grant: give(pool.High)},
			{Local: true, Users: []string{"backup"}, Grant: give(pool.Low)},
		},
		Rest: Open,
	}
	inside, outside := netip.MustParseAddr("::ffff:10.1.2.3"), netip.MustParseAddr("10.2.0.1")
	for _, test := range []struct {
		client Client
		want   pool.Lane
	}{
		{Client{User: "checkout", Database: "shop", Address: outside}, pool.Critical},
		{Client{User: "pay_eu", Database: "shop", Application: "report"}, pool.Critical},
		{Client{User: "checkout", Database: "cms", Address: outside}, pool.Normal},
		{Client{User: "a", Application: "reporter", Address: inside}, pool.Low},
		{Client{User: "a", Application: "my batch job"}, pool.Low},
		{Client{User: "a", Application: "web", Address: inside}, pool.High},
		{Client{User: "a", Address: netip.MustParseAddr("fe80::1%eth0")}, pool.High},
		{Client{User: "a", Application: "web"}, pool.Normal},
		{Client{User: "backup"}, pool.Low},
		{Client{User: "backup", Address: outside}, pool.Normal},
	} {
		if got := rules.For(&test.client).Lane; got != test.want {
			t.Errorf("%+v is in %v, want %v", test.client, got, test.want)
		}
	}
}

func TestFits(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		pattern, text string
		want          bool
	}{
		{"a", "a", true}, {"a", "ab", false}, {"*", "", true}, {"*", "x", true}, {"a*", "a", true}, {"a*b", "ab", true},
		{"a*b", "acb", true}, {"a*b", "acbc", false}, {"*a*", "bab", true}, {"*a*", "b", false}, {"ab*ba", "aba", false},
		{"a*b*c", "abbc", true}, {"a**c", "ac", true}, {"a*bc*c", "abc", false}, {"", "", true}, {"", "a", false},
	} {
		if got := fits(test.pattern, test.text); got != test.want {
			t.Errorf("%q fits %q: %v", test.text, test.pattern, got)
		}
	}
}

func TestGrant(t *testing.T) {
	t.Parallel()
	g := Grant{Lane: pool.Normal, Highest: pool.High}
	if !g.Exceeds(pool.Critical) || g.Exceeds(pool.High) || g.Exceeds(pool.Low) {
		t.Error("exceeds what is granted")
	}
	if g.Lower(pool.Critical) != pool.High || g.Lower(pool.Low) != pool.Low {
		t.Error("lowered to another lane")
	}
}
