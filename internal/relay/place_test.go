package relay

import (
	"strings"
	"testing"
)

// moved is the text a move panics with, "" if it is legal.
func moved(f func()) (text string) {
	defer func() {
		if r := recover(); r != nil {
			text = r.(string)
		}
	}()
	f()
	return ""
}

func TestOnlyTheMovesOfTheTableAreMade(t *testing.T) {
	t.Parallel()
	for from := range clientPlaces {
		for to := range clientPlaces {
			l := &loop{}
			c := &client{conn: conn{loop: l}, place: from}
			l.clients[from] = 1
			text := moved(func() { c.become(to) })
			checkMove(t, from.String(), to.String(), contains(clientMoves[from], to), text)
			if text == "" && (l.clients[from] != 0 && from != to || l.clients[to] != 1) {
				t.Errorf("from %v to %v the counts are %v", from, to, l.clients)
			}
		}
	}
	for from := range serverPlaces {
		for to := range serverPlaces {
			l := &loop{}
			s := &server{conn: conn{loop: l}, place: from}
			l.servers[from] = 1
			text := moved(func() { s.become(to) })
			checkMove(t, from.String(), to.String(), contains(serverMoves[from], to), text)
			if text == "" && (l.servers[from] != 0 && from != to || l.servers[to] != 1) {
				t.Errorf("from %v to %v the counts are %v", from, to, l.servers)
			}
		}
	}
}

func contains[P comparable](list []P, p P) bool {
	for _, q := range list {
		if p == q {
			return true
		}
	}
	return false
}

func checkMove(t *testing.T, from, to string, legal bool, text string) {
	t.Helper()
	switch {
	case legal && text != "":
		t.Errorf("from %s to %s: %s", from, to, text)
	case !legal && text != "bug: moved from "+from+" to "+to:
		t.Errorf("from %s to %s: panics with %q", from, to, text)
	}
}

// TestEveryPlaceCanBeReachedAndLeft holds the tables themselves: nobody is gone and comes back, everybody can
// go.
func TestEveryPlaceCanBeReachedAndLeft(t *testing.T) {
	t.Parallel()
	if len(clientMoves[clientGone]) != 0 || len(serverMoves[serverGone]) != 0 {
		t.Error("who is gone moves")
	}
	for place := clientNew; place < clientGone; place++ {
		if !contains(clientMoves[place], clientGone) {
			t.Errorf("a client that is %v cannot go", place)
		}
	}
	for place := serverNew; place < serverGone; place++ {
		if !contains(serverMoves[place], serverGone) {
			t.Errorf("a server connection that is %v cannot go", place)
		}
	}
	reached := func(moves func(int) []string, names []string) {
		for _, name := range names[1:] {
			found := false
			for i := range names {
				found = found || strings.Contains(" "+strings.Join(moves(i), " ")+" ", " "+name+" ")
			}
			if !found {
				t.Errorf("nobody becomes %s", name)
			}
		}
	}
	var clients, servers []string
	for p := range clientPlaces {
		clients = append(clients, p.String())
	}
	for p := range serverPlaces {
		servers = append(servers, p.String())
	}
	reached(func(i int) (names []string) {
		for _, p := range clientMoves[i] {
			names = append(names, p.String())
		}
		return names
	}, clients)
	reached(func(i int) (names []string) {
		for _, p := range serverMoves[i] {
			names = append(names, p.String())
		}
		return names
	}, servers)
}
