package controller

import (
	"context"
	"slices"
	"sync"
)

// gate bounds how many visits run at once. The bound can be changed while they do: a lower one holds as soon as enough of
// them have ended. Who waits is let in in the order of coming.
type gate struct {
	mu      sync.Mutex
	most    int
	inside  int
	waiting []chan struct{} // closed when its owner is let in
}

func newGate(most int) *gate { return &gate{most: most} }

// enter waits for room; false if ctx ended first. Who was let in must leave.
func (g *gate) enter(ctx context.Context) bool {
	if ctx.Err() != nil {
		return false
	}
	g.mu.Lock()
	if g.inside < g.most && len(g.waiting) == 0 {
		g.inside++
		g.mu.Unlock()
		return true
	}
	turn := make(chan struct{})
	g.waiting = append(g.waiting, turn)
	g.mu.Unlock()
	select {
	case <-turn:
		return true
	case <-ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if i := slices.Index(g.waiting, turn); i >= 0 {
		g.waiting = slices.Delete(g.waiting, i, i+1)
		return false
	}
	g.inside-- // let in at the last moment
	g.admit()
	return false
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inside--
	g.admit()
}

// bound changes how many may be inside.
func (g *gate) bound(most int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.most = most
	g.admit()
}

// admit lets in who waits, as far as there is room. mu is held.
func (g *gate) admit() {
	for g.inside < g.most && len(g.waiting) > 0 {
		close(g.waiting[0])
		g.waiting = g.waiting[1:]
		g.inside++
	}
}

// isAwaited tells whether somebody waits to be let in.
func (g *gate) isAwaited() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.waiting) > 0
}
