package remote

import (
	"net"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"
)

// CheckHostKey does what a dial does with known_hosts. If anew, nothing that was found before is used.
func CheckHostKey(h *HostKeys, address string, remote net.Addr, key ssh.PublicKey, anew bool) {
	if anew {
		h.mu.Lock()
		clear(h.known)
		h.mu.Unlock()
	}
	h.algorithms(address)
	if found := h.check(address, remote, key); found != nil {
		panic(found)
	}
}

// RunUntilOver runs a task that lasts a little longer than the connection, and tells whether it has ended.
func (c *Conn) RunUntilOver() (ended func() bool) {
	var flag atomic.Bool
	c.run(func() {
		<-c.over
		for range 1000 {
			runtime.Gosched()
		}
		flag.Store(true)
	})
	return flag.Load
}

// SetClock has an agent that nobody uses yet take the time from now.
func (a *Agent) SetClock(now func() time.Time) { a.now = now }
