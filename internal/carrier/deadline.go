package carrier

import "time"

// SetDeadline works in goroutine mode. In loop mode, where nothing blocks, it does nothing; the loop keeps
// time.
func (c *Conn) SetDeadline(t time.Time) error {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.deadline = t
	if c.waiter != nil {
		return c.waiter.SetDeadline(t)
	}
	return nil
}

// SetReadDeadline is as SetDeadline, for reads; before the first wait it holds for writes too.
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.deadline = t
	if c.waiter != nil {
		return c.waiter.SetReadDeadline(t)
	}
	return nil
}

// SetWriteDeadline is as SetDeadline, for writes. tls.Conn.Close calls it around its close_notify.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.waiter != nil {
		return c.waiter.SetWriteDeadline(t)
	}
	return nil
}

// Interrupt makes reads and writes in goroutine mode fail with os.ErrDeadlineExceeded, those under way too,
// until the next SetDeadline. Of all methods only this one may be called by others than the owner, at any
// time.
func (c *Conn) Interrupt() {
	past := time.Unix(1, 0)
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.deadline = past
	if c.waiter != nil {
		_ = c.waiter.SetDeadline(past)
	}
}

// late reports whether the deadline has passed. It is asked before a read that will not wait: a login whose
// client sends byte by byte may never wait.
func (c *Conn) late() bool {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return !c.deadline.IsZero() && !time.Now().Before(c.deadline)
}
