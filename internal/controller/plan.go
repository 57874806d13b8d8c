package controller

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
	"slices"
	"strings"
	"time"

	"muster/internal/config"
	"muster/internal/jump"
)

// plan is a configuration as sweeps work by it. It is never changed: another configuration makes another plan, which takes
// the place of this one as a whole.
type plan struct {
	config *config.Config
	hosts  *hosts
	index  map[string]int // host → its place in the configuration
	turns  []turn         // of all hosts, the earliest first
	lanes  map[*config.Host]*lane
}

// turn is when a host's visit begins, counted from the beginning of its sweep.
type turn struct {
	host  int // its place in the configuration
	after time.Duration
}

func newPlan(c *config.Config, h *hosts) *plan {
	p := &plan{config: c, hosts: h, index: make(map[string]int, len(c.Hosts)), lanes: make(map[*config.Host]*lane)}
	p.turns = make([]turn, len(c.Hosts))
	spread := spreadOf(c.Server)
	for i := range c.Hosts {
		p.index[c.Hosts[i].Name] = i
		if via := c.Hosts[i].Via; via != nil {
			if p.lanes[via] == nil {
				p.lanes[via] = &lane{gate: newGate(cmp.Or(via.Sessions, jump.DefaultSessions))}
			}
			p.lanes[via].hosts++
		}
		p.turns[i] = turn{host: i, after: place(c.Hosts[i].Name, spread)}
	}
	slices.SortStableFunc(p.turns, func(a, b turn) int { return cmp.Compare(a.after, b.after) })
	return p
}

// at returns the host at a place of the configuration.
func (p *plan) at(i int) *config.Host { return &p.config.Hosts[i] }

// lane returns the lane of a host; nil where it is reached directly.
func (p *plan) lane(i int) *lane { return p.lanes[p.at(i).Via] }

// groups returns the groups of a host, web/front; none for one that the plan does not have.
func (p *plan) groups(host string) string {
	i, ok := p.index[host]
	if !ok {
		return ""
	}
	return strings.Join(p.at(i).Groups, "/")
}

// atOnce returns the turns of a sweep that a person waits for: in the order of the configuration.
func (p *plan) atOnce() []turn {
	turns := make([]turn, len(p.config.Hosts))
	for i := range turns {
		turns[i].host = i
	}
	return turns
}

// later returns the turns that come later in a sweep than this.
func (p *plan) later(than time.Duration) []turn {
	first, _ := slices.BinarySearchFunc(p.turns, than, func(t turn, than time.Duration) int {
		if t.after <= than {
			return -1
		}
		return 1
	})
	return p.turns[first:]
}

// spreadOf returns over which time the visits of a sweep begin: at most three quarters of the interval, so that the last
// of them has time until the next sweep.
func spreadOf(s config.Server) time.Duration { return min(s.Spread, s.Interval/4*3) }

// place returns when in a sweep a host has its turn: always at the same time, so that it is visited at even intervals, and
// hosts evenly over the spread. That needs no dice: names are as good as random once they are hashed.
func place(host string, spread time.Duration) time.Duration {
	if spread <= 0 {
		return 0
	}
	hash := sha256.Sum256([]byte(host))
	after, _ := bits.Mul64(binary.BigEndian.Uint64(hash[:8]), uint64(spread))
	return time.Duration(after)
}
