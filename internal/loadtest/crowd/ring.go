package crowd

// ring is a queue that grows.
type ring[T any] struct {
	items []T // a power of two of them
	first int
	count int
}

func (r *ring[T]) push(item T) {
	if r.count == len(r.items) {
		grown := make([]T, max(16, 2*len(r.items)))
		for i := range r.count {
			grown[i] = r.items[(r.first+i)&(len(r.items)-1)]
		}
		r.items, r.first = grown, 0
	}
	r.items[(r.first+r.count)&(len(r.items)-1)] = item
	r.count++
}

// peek is the first item of a queue that is not empty.
func (r *ring[T]) peek() T { return r.items[r.first] }

func (r *ring[T]) pop() T {
	item := r.items[r.first]
	r.first = (r.first + 1) & (len(r.items) - 1)
	r.count--
	return item
}

func (r *ring[T]) clear() { r.first, r.count = 0, 0 }
