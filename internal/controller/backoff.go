package controller

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"muster/internal/failure"
	"muster/internal/visit"
)

// backoff knows the hosts that fail, and leaves them alone for a while: after the first failure a host is visited again in
// the next sweep, and then the gap doubles, up to a bound. It counts in sweeps, so that no clock matters. It is remembered
// in memory alone: another process asks all hosts again.
type backoff struct {
	mu    sync.Mutex
	hosts map[string]*failing
}

// failing is a host that fails.
type failing struct {
	failures int           // in a row
	left     int           // sweeps that it is left out of yet
	next     time.Time     // when its turn comes after those
	stage    failure.Stage // of the last failure
	kind     failure.Kind  // likewise
}

func newBackoff() *backoff { return &backoff{hosts: make(map[string]*failing)} }

// pass counts a host's turn, and returns how it stands where it is left alone; nil: it is to be visited.
func (b *backoff) pass(host string) *failing {
	b.mu.Lock()
	defer b.mu.Unlock()
	f := b.hosts[host]
	if f == nil || f.left == 0 {
		return nil
	}
	f.left--
	now := *f
	return &now
}

// ended notes what became of a visit whose turn came at the given time, where hosts are visited at the interval and left
// alone for most at the longest. What is no news of the host, and what is wrong with the configuration, changes nothing.
func (b *backoff) ended(v *visit.Visit, at time.Time, interval, most time.Duration) {
	if saysNothing(v) || v.Failure != nil && v.Failure.Kind == failure.Configuration {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if v.Failure == nil {
		delete(b.hosts, v.Host)
		return
	}
	f := b.hosts[v.Host]
	if f == nil {
		f = new(failing)
		b.hosts[v.Host] = f
	}
	f.failures++
	f.stage, f.kind = v.Failure.Stage, v.Failure.Kind
	f.left = gap(f.failures, interval, most) - 1
	f.next = at.Add(time.Duration(f.left+1) * interval)
}

// gap returns after how many intervals a host is visited again that has failed so many times in a row: 1, 2, 4, … and
// never more than most. From five on it is shorter by up to a fifth, by chance, so that hosts that failed together don't
// come back together.
func gap(failures int, interval, most time.Duration) int {
	longest := max(1, int(min(most/interval, 1<<30)))
	intervals := longest
	if doublings := failures - 1; doublings < 30 {
		intervals = min(longest, 1<<doublings)
	}
	return intervals - rand.IntN(intervals/5+1) //nolint:gosec // no secret is made of it
}

// forget has hosts visited in the next sweep, as if they had never failed.
func (b *backoff) forget(hosts ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, host := range hosts {
		delete(b.hosts, host)
	}
}

// clear forgets all hosts, and returns how many were left alone.
func (b *backoff) clear() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for _, f := range b.hosts {
		if f.left > 0 {
			n++
		}
	}
	clear(b.hosts)
	return n
}

// LeftAlone is a host that fails and is therefore visited less often.
type LeftAlone struct {
	Host     string        `json:"host"`
	Failures int           `json:"failures"` // in a row
	Stage    failure.Stage `json:"stage"`    // of the last of them
	Kind     failure.Kind  `json:"kind"`     // likewise
	Next     time.Time     `json:"next"`     // attempt
}

// list returns the hosts that are left out of the next sweep, by name.
func (b *backoff) list() []LeftAlone {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []LeftAlone
	for _, host := range slices.SortedFunc(maps.Keys(b.hosts), cmp.Compare[string]) {
		if f := b.hosts[host]; f.left > 0 {
			all = append(all, LeftAlone{Host: host, Failures: f.failures, Stage: f.stage, Kind: f.kind, Next: f.next})
		}
	}
	return all
}

// leftAlone is the visit of a host that is passed over in a sweep because it failed before.
func leftAlone(host visit.Host, sweep time.Time, f *failing) *visit.Visit {
	words := fmt.Sprintf("it failed %d times in a row, the last time with %s (%s), and is visited again at %s",
		f.failures, f.kind, f.stage, f.next.UTC().Format(time.RFC3339))
	return visit.Failed(host, sweep, failure.New(failure.Dial, failure.Backoff, errors.New(words)))
}
