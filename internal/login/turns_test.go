package login

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
)

func TestTurnsGoByRankThenByAge(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		turns := newTurns(1)
		first := turn{turns: turns}
		first.Take()
		var order []int
		var wait sync.WaitGroup
		for i, rank := range []int{3, 1, 2, 1, 0, 3} {
			wait.Go(func() {
				own := turn{turns: turns, rank: rank}
				own.Take()
				order = append(order, i) // one at a time
				own.Give()
			})
			synctest.Wait()
		}
		first.Give()
		wait.Wait()
		if want := []int{4, 1, 3, 2, 0, 5}; !slices.Equal(order, want) {
			t.Errorf("order %v, want %v", order, want)
		}
		if turns.free != 1 {
			t.Errorf("%d turns are free at the end", turns.free)
		}
	})
}

func TestNoMoreTurnsThanThereAre(t *testing.T) {
	t.Parallel()
	turns := newTurns(3)
	var mutex sync.Mutex
	var now, most int
	count := func(by int) {
		mutex.Lock()
		defer mutex.Unlock()
		now += by
		most = max(most, now)
	}
	var wait sync.WaitGroup
	for i := range 50 {
		wait.Go(func() {
			own := turn{turns: turns, rank: i % Ranks}
			for range 20 {
				own.Take()
				count(1)
				count(-1)
				own.Give()
			}
		})
	}
	wait.Wait()
	if most > 3 || turns.free != 3 {
		t.Errorf("%d at a time, %d free at the end, of 3", most, turns.free)
	}
}

func TestATurnIsTakenAndGivenInTurn(t *testing.T) {
	t.Parallel()
	for name, do := range map[string]func(*turn){
		"taken twice": func(own *turn) { own.Take(); own.Take() },
		"not held":    func(own *turn) { own.Give() },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			do(&turn{turns: newTurns(2)})
		}()
	}
}
