package prepared

import "testing"

func TestNamesKnowWhatAStatementIsCalled(t *testing.T) {
	t.Parallel()
	r := NewRegistry()
	a, typed := intern(t, r, "SELECT $1"), intern(t, r, "SELECT $1", 23)
	elsewhere, err := r.Intern(body("SELECT $1"), "timezone")
	if err != nil {
		t.Fatal(err)
	}
	var names Names
	if err := names.Set([]byte("mine"), a); err != nil {
		t.Fatal(err)
	}
	for s, want := range map[*Statement]string{a: "mine", elsewhere: "mine", typed: ""} {
		if got := names.NameOf(s); got != want {
			t.Errorf("%s is called %q, want %q", s.Name(), got, want)
		}
	}
	if got := (*Names)(nil).NameOf(a); got != "" {
		t.Errorf("a client without statements calls one %q", got)
	}
}
