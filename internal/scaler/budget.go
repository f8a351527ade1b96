package scaler

import (
	"slices"
)

// divide bounds targets so that those that are carried out fit the budget beside what other pools have open. The
// others' decisions are bounded as if all were carried out. A budget of 0 is none.
func divide(pools []Pool, decisions []Decision, budget int) {
	if budget <= 0 {
		return
	}
	var acting, deciding []int
	rest, restOfAll := budget, budget
	for i := range pools {
		has := max(pools[i].Rules.Min, pools[i].Observed.Open)
		switch pools[i].Rules.Mode {
		case Scale:
			acting, deciding = append(acting, i), append(deciding, i)
		case Observe:
			deciding = append(deciding, i)
			rest -= has
		default:
			rest -= has
			restOfAll -= has
		}
	}
	forAll := share(pools, decisions, deciding, restOfAll)
	for k, n := range share(pools, decisions, acting, rest) {
		decisions[acting[k]].grant(n, rest)
	}
	for k, i := range deciding {
		if pools[i].Rules.Mode == Observe {
			decisions[i].grant(forAll[k], restOfAll)
		}
	}
}

// grant is what the budget leaves of a target.
func (d *Decision) grant(n, budget int) {
	if n < d.Target {
		d.note("the budget has %d for it instead of %d: it is %d for all, and pools of a greater priority come first",
			n, d.Target, budget)
		d.Target = n
	}
}

// share divides a budget: every pool's Min first, then what the greatest priority wants beyond it, emergencies before
// the rest, and within that in proportion.
func share(pools []Pool, decisions []Decision, which []int, budget int) []int {
	granted := make([]int, len(which))
	for k, i := range which {
		granted[k] = min(decisions[i].Target, pools[i].Rules.Min)
		budget -= granted[k]
	}
	type rank struct {
		priority  int
		emergency bool
	}
	of := func(k int) rank {
		return rank{pools[which[k]].Rules.Priority, decisions[which[k]].Cause == Emergency}
	}
	order := make([]int, len(which))
	for k := range order {
		order[k] = k
	}
	slices.SortStableFunc(order, func(a, b int) int {
		x, y := of(a), of(b)
		switch {
		case x.priority != y.priority:
			return y.priority - x.priority
		case x.emergency != y.emergency && x.emergency:
			return -1
		case x.emergency != y.emergency:
			return 1
		}
		return 0
	})
	for len(order) > 0 {
		n := 1
		for n < len(order) && of(order[n]) == of(order[0]) {
			n++
		}
		budget = proportion(granted, order[:n], func(k int) int { return decisions[which[k]].Target }, max(budget, 0))
		order = order[n:]
	}
	return granted
}

// proportion gives each of the group the same part of what it lacks, all of it if there is enough, and returns the
// rest.
func proportion(granted, group []int, target func(int) int, budget int) int {
	lack := 0
	for _, k := range group {
		lack += target(k) - granted[k]
	}
	if lack <= budget {
		for _, k := range group {
			granted[k] = target(k)
		}
		return budget - lack
	}
	rest := budget
	for _, k := range group {
		part := (target(k) - granted[k]) * budget / lack
		granted[k] += part
		rest -= part
	}
	for _, k := range group {
		if rest > 0 && granted[k] < target(k) {
			granted[k]++
			rest--
		}
	}
	return rest
}
