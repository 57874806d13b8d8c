package remote

import (
	"fmt"
	"time"
)

// Watch notices that the host has died without a word: when nothing was heard of it for a while it is asked for an answer,
// and when none comes within patience the connection ends. The watch ends with the connection. It is for connections that
// are kept while nobody waits for an answer.
func (c *Conn) Watch(interval, patience time.Duration) {
	c.attach(func() {
		timer := time.NewTimer(interval)
		defer timer.Stop()
		for {
			select {
			case <-timer.C:
			case <-c.over:
				return
			}
			silent := c.wire.silent()
			if silent >= interval+patience {
				c.wire.end(fmt.Errorf("no answer for %s", silent.Round(time.Second/10)))
				return
			}
			if silent < interval {
				timer.Reset(interval - silent)
				continue
			}
			c.probe()
			timer.Reset(interval + patience - silent)
		}
	})
}

// probe asks the host for an answer of any kind, unless a question is under way. It does not wait.
func (c *Conn) probe() {
	if c.probing.Swap(true) {
		return
	}
	if !c.attach(func() {
		defer c.probing.Store(false)
		c.alive()
	}) {
		c.probing.Store(false)
	}
}
