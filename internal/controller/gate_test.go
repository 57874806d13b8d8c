package controller

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestGateKeepsItsBoundWhileThatChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(2)
		var inside sync.WaitGroup
		var mu sync.Mutex
		now, order := 0, []int{}
		for i := range 10 {
			inside.Go(func() {
				if !g.enter(t.Context()) {
					t.Error("nobody's time was up")
				}
				mu.Lock()
				now++
				order = append(order, i)
				mu.Unlock()
				time.Sleep(time.Minute)
				mu.Lock()
				now--
				mu.Unlock()
				g.leave()
			})
			synctest.Wait()
		}
		want := func(n int) {
			t.Helper()
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if now != n {
				t.Errorf("%d are inside, want %d", now, n)
			}
		}
		want(2)
		g.bound(5)
		want(5)
		g.bound(1)
		want(5)
		time.Sleep(61 * time.Second)
		want(1)
		time.Sleep(time.Minute)
		want(1)
		g.bound(3)
		want(3)
		inside.Wait()
		for i, who := range order[:2] {
			if i != who {
				t.Errorf("they were let in in the order %v", order)
			}
		}
		if g.inside != 0 || len(g.waiting) != 0 {
			t.Errorf("%d are inside, %d wait", g.inside, len(g.waiting))
		}
	})
}

func TestGateLetsGoWhoseTimeIsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(1)
		if !g.enter(t.Context()) {
			t.Fatal("the first is not let in")
		}
		ctx, cancel := context.WithCancel(t.Context())
		left := make(chan bool)
		go func() { left <- g.enter(ctx) }()
		synctest.Wait()
		cancel()
		if <-left || len(g.waiting) != 0 {
			t.Error("who left still waits")
		}
		if g.enter(ctx) {
			t.Error("who has no time is let in")
		}
		g.leave()
		if !g.enter(t.Context()) {
			t.Error("the place was lost")
		}
	})
}
