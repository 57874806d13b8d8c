package remote

import (
	"fmt"
	"time"
)

// looks is how often it is looked for an answer while patience lasts.
const looks = 8

// Watch notices that the host has died without a word: when nothing was heard of it for interval it is asked for an answer,
// and when none comes within patience the connection ends. The watch ends with the connection. It is for connections that
// are kept while nobody waits for an answer.
//
// Time in which this process stood still, as on a machine that sleeps, is not held against the host: patience is counted in
// short waits, of which one, however long it became, is one.
func (c *Conn) Watch(interval, patience time.Duration) {
	c.attach(func() {
		timer := time.NewTimer(interval)
		defer timer.Stop()
		var asked time.Time // zero: nothing is asked
		waits := 0          // since it was asked
		for {
			select {
			case <-timer.C:
			case <-c.over:
				return
			}
			silent := c.wire.silent()
			switch {
			case silent < interval || !asked.IsZero() && silent < time.Since(asked):
				asked = time.Time{}
				timer.Reset(max(interval-silent, 0))
				continue
			case asked.IsZero():
				asked, waits = time.Now(), 0
				c.probe()
			default:
				waits++
			}
			if waits == looks {
				c.wire.end(fmt.Errorf("no answer for %s", silent.Round(time.Second/10)))
				return
			}
			timer.Reset(patience / looks)
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
