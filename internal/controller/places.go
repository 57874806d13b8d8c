package controller

import (
	"math"
	"sync"
)

const (
	// mostGoOn is how many visits may ask for further parts at the same time, each with up to report.MaxRecordBytes of records.
	mostGoOn = 8
	// share is the part of all parallel visits that may do so.
	share = 4
	// brief is for how many parts a visit may have a place that is not counted where its host is up to date then.
	brief = 3
)

// places are those of visits that may go on for the sake of the logs. Nobody waits for one: whose visit gets none has it end,
// and comes again with its next turn.
//
// A host may have more to read than it can ever bring, or say so. So that the hosts whose turns come first don't have all
// places for ever, it is counted how often each had one: at its next visit it gets a place only where one is left for each
// host that was refused one when it asked last and had one less often. Who needed it only briefly, or never had one, gets one
// wherever there is one.
type places struct {
	mu          sync.Mutex
	most, taken int
	went        map[string]int      // hosts that had one, and how often; who comes new begins with the least of the others
	refused     map[string]struct{} // hosts that got none when they asked last
}

// newPlaces returns the places where so many visits run at once.
func newPlaces(parallel int) *places {
	p := &places{went: make(map[string]int), refused: make(map[string]struct{})}
	p.bound(parallel)
	return p
}

// bound sets how many there are where so many visits run at once.
func (p *places) bound(parallel int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.most = min(mostGoOn, max(1, parallel/share))
}

// take takes one for a host, if there is one. again: its visit had one before, which it goes on with.
func (p *places) take(host string, again bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	free := p.most - p.taken
	if free <= 0 || !again && p.before(host, free) >= free {
		p.refused[host] = struct{}{}
		return false
	}
	if _, known := p.went[host]; !known {
		p.went[host] = p.least()
	}
	if !again {
		p.went[host]++
	}
	delete(p.refused, host)
	p.taken++
	return true
}

// before counts the hosts that a host is to let pass, up to so many. mu is held.
func (p *places) before(host string, most int) int {
	went, n := p.went[host], 0
	if went == 0 {
		return 0
	}
	for other := range p.refused {
		if p.went[other] < went {
			n++
		}
		if n == most {
			break
		}
	}
	return n
}

// least returns how often that host had a place which had it least. mu is held.
func (p *places) least() int {
	least := math.MaxInt
	for _, n := range p.went {
		least = min(least, n)
	}
	if least == math.MaxInt {
		return 0
	}
	return least
}

func (p *places) give() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken--
}

// ended notes that the visit of a host has ended, whether it asked for a place, for how many parts it had one, and whether the
// host has more to read. A host that says it has not, after many parts, may say so each time.
func (p *places) ended(host string, asked bool, parts int, behind bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !asked {
		delete(p.refused, host)
	}
	if !asked || !behind && parts <= brief {
		delete(p.went, host)
	}
}

// adopt forgets the hosts that are no longer there.
func (p *places) adopt(isThere func(host string) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for host := range p.refused {
		if !isThere(host) {
			delete(p.refused, host)
		}
	}
	for host := range p.went {
		if !isThere(host) {
			delete(p.went, host)
		}
	}
}
