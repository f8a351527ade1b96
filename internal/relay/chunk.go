package relay

import "math/bits"

// Sizes of the buffers that hold what cannot be forwarded at once. A waiting client holds one of the smallest as a
// rule: a request is short. What a loop reads at once is the scratch size, so nothing unsent is larger in the common
// case.
const (
	chunkSmallest = 256
	chunkLargest  = 128 << 10
	chunkClasses  = 10 // 256 B … 128 KiB, doubling
	chunksKept    = 16 // of the larger classes: a burst shall not pin its memory for ever
	chunkKeptByte = 4 << 20
)

// chunks is a loop's stock of buffers. Idle connections hold none; a buffer goes back as soon as it is empty, so
// steady load allocates nothing.
type chunks struct {
	free [chunkClasses][][]byte
	kept int // bytes in free
}

func chunkClass(n int) int {
	if n <= chunkSmallest {
		return 0
	}
	return bits.Len(uint(n-1)) - bits.Len(uint(chunkSmallest-1))
}

// get is an empty buffer with room for at least n bytes.
func (s *chunks) get(n int) []byte {
	class := chunkClass(n)
	if class >= chunkClasses {
		return make([]byte, 0, n)
	}
	stock := s.free[class]
	if len(stock) == 0 {
		return make([]byte, 0, chunkSmallest<<class)
	}
	b := stock[len(stock)-1]
	s.free[class] = stock[:len(stock)-1]
	s.kept -= cap(b)
	return b
}

// next are the buffers that the next n waiting clients will get, as far as they are there.
func (s *chunks) next(n int) [][]byte {
	stock := s.free[0]
	return stock[max(len(stock)-n, 0):]
}

// put takes a buffer back. Buffers that did not come from get are left to the garbage collector.
func (s *chunks) put(b []byte) {
	size := cap(b)
	class := chunkClass(size)
	if size < chunkSmallest || class >= chunkClasses || size != chunkSmallest<<class || s.kept+size > chunkKeptByte {
		return
	}
	s.kept += size
	s.free[class] = append(s.free[class], b[:0])
}

// grow is b with room for n more bytes; b goes back if it had to be exchanged.
func (s *chunks) grow(b []byte, n int) []byte {
	if cap(b)-len(b) >= n {
		return b
	}
	bigger := s.get(max(len(b)+n, 2*len(b)))
	bigger = append(bigger, b...)
	s.put(b)
	return bigger
}

// keep is b with more appended; more may lie in b's own array.
func (s *chunks) keep(b, more []byte) []byte {
	return append(s.grow(b, len(more)), more...)
}
