package passwords

import (
	"context"
	"slices"
)

// Retry lets passwords be sent again that were refused: those of the named hosts, or of all if none is named. It returns
// the names of the hosts for which that changes something, in alphabetical order. A shared password that is sent to no
// host any more is then sent to the named ones, and to the others once one of them has taken it. The error is that of the
// table; what it does not hold is changed in this process all the same.
func (g *Guard) Retry(_ context.Context, names ...string) (freed []string, err error) {
	for _, name := range names {
		for _, a := range g.accounts(name) {
			g.prepare(&a)
		}
	}
	keys, freed := g.release(names)
	if len(keys) > 0 {
		err = g.keep(keys...)
	}
	slices.Sort(freed)
	return slices.Compact(freed), err
}

func (g *Guard) accounts(name string) []Account {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.named[name]
}

func (g *Guard) release(names []string) (keys, freed []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for key, r := range g.hosts {
		if len(names) == 0 || slices.Contains(names, r.Host) {
			delete(g.hosts, key)
			keys, freed = append(keys, key), append(freed, r.Host)
		}
	}
	if len(names) == 0 {
		for key, p := range g.pairs {
			delete(g.pairs, key)
			keys, freed = append(keys, key), append(freed, p.Refused...)
		}
		g.wake()
		return keys, freed
	}
	for _, name := range names {
		for _, a := range g.named[name] {
			if key := g.ask(&a); key != "" {
				keys, freed = append(keys, key), append(freed, name)
			}
		}
	}
	g.wake()
	return keys, freed
}

// ask notes that a person wants a shared password to be sent to a host, and returns its key in the table; empty if
// nothing keeps it from that. The caller holds the lock.
func (g *Guard) ask(a *Account) string {
	s := g.sharedBy(a)
	if s == nil || g.pairs[s.key] == nil {
		return ""
	}
	p := g.pairs[s.key]
	if !slices.Contains(p.Asked, a.Host) {
		p.Asked = append(p.Asked, a.Host)
	}
	return s.key
}

// wake lets those who wait look again. The caller holds the lock.
func (g *Guard) wake() {
	for _, s := range g.live {
		close(s.changed)
		s.changed = make(chan struct{})
	}
}
