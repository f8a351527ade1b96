package tuner

import "fmt"

// search opens the search from Size.
func (d *decision) search() {
	d.floor, d.ceiling, d.given, d.before = bound{}, bound{}, 0, d.Size
	d.Found, d.checking, d.recalled, d.doubted, d.down = false, false, false, false, d.Size == d.Max
	d.again, d.level, d.spent = d.Again, level{}, 0
}

// reopen searches anew because the statements are others.
func (d *decision) reopen() {
	change := d.level.change()
	d.curve.fade(forget)
	d.search()
	d.say(Reopen, 0, "the same number of connections does %.2f times as much as before", change)
}

// check opens the search to one neighbour.
func (d *decision) check() {
	d.checking, d.before, d.spent = true, d.Size, 0
	if up := d.checkUp; up && d.Size < d.Max {
		d.ceiling = bound{}
	} else if d.Size > d.Min {
		d.floor = bound{}
	} else {
		d.ceiling = bound{}
	}
	d.checkUp = !d.checkUp
}

// next begins the next trial, or ends the search: when nothing is left to be tried, or when its time is up and what is
// left can wait for checks.
func (d *decision) next() {
	candidate := 0
	if d.spent < d.Search || !d.near() {
		if candidate = d.choose(); candidate == 0 {
			candidate = d.doubt()
		}
	}
	if candidate == 0 {
		d.found()
		return
	}
	d.trial = trial{on: true, candidate: candidate, began: d.now, settle: d.now + 1}
	d.Cost.Trials++
	d.Why = ""
	reason := "is a smaller one as good?"
	if candidate > d.Size {
		reason = "does a larger one do more?"
	}
	d.say(Begin, candidate, "%s", reason)
}

// near reports whether both bounds of the search are no more than nearBy times as far.
func (d *decision) near() bool {
	lower := d.Size == d.Min || nearBy*d.floor.size >= d.Size
	upper := d.Size == d.Max || d.ceiling.size > 0 && d.ceiling.size <= nearBy*d.Size
	return lower && upper
}

// found ends the search. A check that has found nothing new has said so.
func (d *decision) found() {
	same, checked := d.Size == d.before, d.checking
	switch {
	case checked && same:
		d.again = min(2*d.again, againMost*d.Again)
	case same:
		d.calm = min(2*d.calm, calmMost)
	default:
		d.again, d.calm = d.Again, calmFirst
	}
	d.Found, d.checking, d.recalled, d.foundAt = true, false, false, d.now
	if !checked || !same {
		d.say(Found, 0, "%s", d.bounds())
	}
}

// bounds says between what the search has ended.
func (d *decision) bounds() string {
	text := fmt.Sprintf("%d is the smallest allowed", d.Size)
	if d.floor.size > 0 {
		text = fmt.Sprintf("%d do less", d.floor.size)
	}
	if d.ceiling.size > 0 {
		return text + fmt.Sprintf(", %d do no more", d.ceiling.size)
	}
	return text + fmt.Sprintf(", %d is the largest allowed", d.Size)
}

// choose is the next candidate, 0 if there is none. The search goes on in the direction of the last step while no end
// of it is known, to a size that promises more or else as far as Rules.Step allows. Then it halves what is left, the
// larger sizes first.
func (d *decision) choose() int {
	sizes := d.sizes()
	up, down := above(sizes, d.Size, d.ceiling.size), below(sizes, d.Size, d.floor.size)
	switch {
	case d.checking && len(up) > 0 && d.ceiling.size == 0:
		return up[0]
	case d.checking && len(down) > 0 && d.floor.size == 0:
		return down[0]
	}
	upwards := len(up) > 0
	if d.down && len(down) > 0 && d.floor.size == 0 || d.ceiling.size > 0 && d.floor.size == 0 && len(down) > 0 {
		upwards = false
	}
	list, end := down, d.floor.size
	if upwards {
		list, end = up, d.ceiling.size
	}
	if len(list) == 0 {
		return 0
	}
	n := d.reach(list)
	if end > 0 {
		return list[min(n, len(list)/2)]
	}
	if hint := d.hint(list); hint > 0 {
		return hint
	}
	return list[n]
}

// reach is the last of a list that may be tried: within Rules.Step, or the first. Where much is at stake, steps are
// careful.
func (d *decision) reach(list []int) int {
	n, step := 0, d.Step
	if d.seen.Event != "" || d.seen.Impaired {
		step = min(step, carefulStep)
	}
	for i, size := range list {
		if ratio := float64(size) / float64(d.Size); max(ratio, 1/ratio) <= step {
			n = i
		}
	}
	return n
}

// hint is the size that did most by itself, as concurrency came and went, if that is more than Size does. It may be
// far away: it has been seen to do well.
func (d *decision) hint(list []int) int {
	own := d.curve.at(float64(d.Size))
	best, hint := own.rate*(1+d.Tolerance), 0
	for _, size := range list {
		if b := d.curve.at(float64(size)); b.seconds >= leastSeconds && b.rate > best {
			best, hint = b.rate, size
		}
	}
	if own.seconds < leastSeconds {
		return 0
	}
	return hint
}

// doubt is a size that a trial has ruled out, and that gets another one. Noise rules out a good size now and then, and
// so does another program that has the machine for some seconds: with fewer processors, fewer connections are best.
// It is one that did clearly more than Size, taking all trials together, once; and the ceiling, if it was never
// compared with Size itself.
func (d *decision) doubt() int {
	if d.checking {
		return 0
	}
	if !d.doubted {
		if candidate := d.better(); candidate > 0 {
			d.doubted = true
			return candidate
		}
	}
	if size := d.ceiling.size; size > 0 && d.ceiling.by != d.Size {
		return size
	}
	return 0
}

// better is the size that did most of those that did clearly more than Size.
func (d *decision) better() int {
	own := d.curve.at(float64(d.Size))
	best, candidate := own.rate*(1+doubtful*d.Tolerance), 0
	for _, size := range d.sizes() {
		b := d.curve.at(float64(size))
		if b.seconds >= doubtSeconds && own.seconds >= doubtSeconds && b.rate > best {
			best, candidate = b.rate, size
		}
	}
	return candidate
}
