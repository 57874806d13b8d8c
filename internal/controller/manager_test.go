package controller

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"muster/internal/config"
	"muster/internal/queue"
)

// told is a manager that notes what it is told.
type told struct {
	within time.Duration

	mu    sync.Mutex
	words []string
}

func (m *told) say(word string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.words = append(m.words, word)
}

func (m *told) Ready(status string)   { m.say("ready: " + status) }
func (m *told) Reloading()            { m.say("reloading") }
func (m *told) Stopping()             { m.say("stopping") }
func (m *told) Status(status string)  { m.say("status: " + status) }
func (m *told) Alive()                { m.say("alive") }
func (m *told) Within() time.Duration { return m.within }

// all returns what was said, without the statuses between.
func (m *told) all() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var words []string
	for _, word := range m.words {
		if !strings.HasPrefix(word, "status") {
			first, _, _ := strings.Cut(word, ":")
			words = append(words, first)
		}
	}
	return words
}

func TestTheManagerIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _, _ := spreadController(t, 3, config.Server{Interval: time.Minute})
		m := &told{within: 20 * time.Second}
		c.manager = m
		serveFor(t, c, 65*time.Second)
		if got := m.all(); !slices.Equal(got, []string{"ready", "alive", "alive", "alive", "alive", "alive", "alive", "stopping"}) {
			t.Errorf("told: %q", got)
		}
		if i := slices.IndexFunc(m.words, func(w string) bool { return strings.Contains(w, "3 reported, 0 failed") }); i < 0 {
			t.Errorf("told: %q, want what the sweep came to", m.words)
		}
	})
}

// hung is a follower one of whose answers never comes, once it hangs.
type hung struct {
	fakeFollower
	hangs atomic.Pointer[chan struct{}] // nil: it answers
}

func (h *hung) alerts() int {
	if until := h.hangs.Load(); until != nil {
		<-*until
	}
	return 0
}

// A main loop that hangs on what it asks does not say that it is alive.
func TestAServerThatHangsIsNotAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _, _ := spreadController(t, 3, config.Server{Interval: time.Hour})
		m, h := &told{within: 20 * time.Second}, new(hung)
		c.manager, c.behind = m, h
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- c.Serve(ctx) }()
		time.Sleep(15 * time.Second)
		synctest.Wait()
		until := make(chan struct{})
		h.hangs.Store(&until)
		time.Sleep(time.Minute)
		if got := m.all(); !slices.Equal(got, []string{"ready", "alive"}) {
			t.Errorf("told: %q, want nothing since it hangs", got)
		}
		close(until)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// A queue that hangs for ever is one for the next process: who manages this one has to start that.
func TestAServerWhoseQueueHangsEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _, _ := spreadController(t, 3, config.Server{Interval: time.Hour})
		m, f := new(told), &fakeFollower{hangs: make(chan struct{})}
		c.manager, c.behind = m, f
		done := make(chan error, 1)
		go func() { done <- c.Serve(t.Context()) }()
		time.Sleep(3 * time.Hour)
		close(f.hangs)
		if err := <-done; !errors.Is(err, queue.ErrStuck) || !errors.Is(err, ErrUnusable) {
			t.Errorf("it ends with %v", err)
		}
		if got := m.all(); !slices.Equal(got, []string{"ready", "stopping"}) {
			t.Errorf("told: %q", got)
		}
	})
}
