package carrier

import (
	"errors"
	"sync"
)

// MaxPending is how much Write queues before it gives the connection up. Loops stop reading long before, as
// soon as anything is pending; the limit is there so that a bug, or a peer that makes TLS itself answer,
// cannot eat the memory.
const MaxPending = 16 << 20

// ErrQueueFull is the error of a Write that would have queued more than MaxPending bytes.
var ErrQueueFull = errors.New("too many bytes wait to be written")

// pooledQueue is the capacity of the buffers that are used again: what a loop reads at once, and TLS overhead
// on it.
const pooledQueue = 72 << 10

var queueBuffers = sync.Pool{New: func() any {
	b := make([]byte, 0, pooledQueue)
	return &b
}}

// queue is bytes that wait for the socket. Empty, it holds no memory.
type queue struct {
	buffer *[]byte
	start  int // where the bytes not yet sent begin
}

func (q *queue) empty() bool { return q.buffer == nil }

func (q *queue) len() int {
	if q.buffer == nil {
		return 0
	}
	return len(*q.buffer) - q.start
}

func (q *queue) bytes() []byte { return (*q.buffer)[q.start:] }

func (q *queue) push(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	if q.len()+len(p) > MaxPending {
		return ErrQueueFull
	}
	if q.buffer == nil {
		q.buffer = queueBuffers.Get().(*[]byte)
	}
	b := *q.buffer
	if q.start > 0 && len(b)+len(p) > cap(b) {
		b = b[:copy(b, b[q.start:])]
		q.start = 0
	}
	*q.buffer = append(b, p...)
	return nil
}

// pop forgets the first n bytes.
func (q *queue) pop(n int) {
	q.start += n
	if q.start == len(*q.buffer) {
		q.release()
	}
}

func (q *queue) release() {
	if q.buffer == nil {
		return
	}
	if cap(*q.buffer) <= pooledQueue {
		*q.buffer = (*q.buffer)[:0]
		queueBuffers.Put(q.buffer)
	}
	q.buffer, q.start = nil, 0
}
