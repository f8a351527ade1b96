package series

import "math"

// normal are the normal equations of a weighted ridge regression that grows row by row, so that one pass over the
// history gives the fit as of every origin.
type normal struct {
	size   int
	gram   []float64 // lower triangle, row by row, of XᵀWX
	moment []float64 // XᵀWy
	weight float64   // sum of the weights

	// Rows wait until there are abreast of them: to add four at once takes a third of the time.
	rows    [abreast][]float64 // each times the root of its weight
	values  [abreast]float64
	waiting int
}

const abreast = 4

func newNormal(size int) *normal {
	n := &normal{size: size, gram: make([]float64, size*(size+1)/2), moment: make([]float64, size)}
	for i := range n.rows {
		n.rows[i] = make([]float64, size)
	}
	return n
}

// add takes a row.
func (n *normal) add(x []float64, y, weight float64) {
	root := math.Sqrt(weight)
	row := n.rows[n.waiting]
	for i, v := range x {
		row[i] = v * root
	}
	n.values[n.waiting] = y * root
	n.weight += weight
	if n.waiting++; n.waiting == abreast {
		n.sum()
	}
}

// sum adds the rows that wait.
func (n *normal) sum() {
	for i := n.waiting; i < abreast; i++ {
		clear(n.rows[i])
		n.values[i] = 0
	}
	n.waiting = 0
	at := 0
	for i := range n.size {
		x0, x1, x2, x3 := n.rows[0][:i+1], n.rows[1][:i+1], n.rows[2][:i+1], n.rows[3][:i+1]
		a, b, c, d := x0[i], x1[i], x2[i], x3[i]
		n.moment[i] += a*n.values[0] + b*n.values[1] + c*n.values[2] + d*n.values[3]
		sums := n.gram[at : at+i+1]
		for j := range sums {
			sums[j] += a*x0[j] + b*x1[j] + c*x2[j] + d*x3[j]
		}
		at += i + 1
	}
}

// scale makes old rows weigh less (or the sums small again).
func (n *normal) scale(by float64) {
	n.sum()
	for i := range n.gram {
		n.gram[i] *= by
	}
	for i := range n.moment {
		n.moment[i] *= by
	}
	n.weight *= by
}

// solve gives the coefficients that minimise the weighted squares plus the penalty, which is relative to each
// feature's own mean square; feature 0 is the constant and free. It gives nil where there is nothing to solve.
func (n *normal) solve(penalty []float64) []float64 {
	if n.weight <= 0 {
		return nil
	}
	n.sum()
	l := make([]float64, len(n.gram))
	copy(l, n.gram)
	at := 0
	for i := range n.size {
		d := l[at+i]
		l[at+i] += penalty[i]*d + 1e-9*d + 1e-12*n.weight
		at += i + 1
	}
	if !factor(l, n.size) {
		return nil
	}
	b := make([]float64, n.size)
	copy(b, n.moment)
	substitute(l, b)
	for _, v := range b {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil
		}
	}
	return b
}

// factor replaces a packed lower triangle by its Cholesky factor. It is false if the matrix is not positive definite.
func factor(l []float64, size int) bool {
	ri := 0
	for i := range size {
		rj := 0
		for j := 0; j <= i; j++ {
			sum := l[ri+j]
			a, b := l[ri:ri+j], l[rj:rj+j]
			for k := range a {
				sum -= a[k] * b[k]
			}
			if i == j {
				if !(sum > 0) {
					return false
				}
				l[ri+i] = math.Sqrt(sum)
			} else {
				l[ri+j] = sum / l[rj+j]
			}
			rj += j + 1
		}
		ri += i + 1
	}
	return true
}

// substitute solves L Lᵀ x = b in place.
func substitute(l, b []float64) {
	at := 0
	for i := range b {
		sum := b[i]
		for k := range i {
			sum -= l[at+k] * b[k]
		}
		b[i] = sum / l[at+i]
		at += i + 1
	}
	for i := len(b) - 1; i >= 0; i-- {
		at -= i + 1
		b[i] /= l[at+i]
		for k := range i {
			b[k] -= l[at+k] * b[i]
		}
	}
}
