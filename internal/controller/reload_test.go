package controller

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"muster/internal/config"
	"muster/internal/mail/sink"
	"muster/internal/passwords"
	"muster/internal/visit"
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

// reloaded serves a configuration, has do change it, and ends.
func reloaded(t *testing.T, server config.Server, do func(t *testing.T, c *Controller, v *visitTimes, reload func(func(*config.Config)) (*Reloaded, error))) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c, v, _ := spreadController(t, 3, server)
		c.manager = new(told)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- c.Serve(ctx) }()
		synctest.Wait()
		do(t, c, v, func(change func(*config.Config)) (*Reloaded, error) {
			c.load = func(context.Context) (*config.Config, error) {
				next := *c.plan.Load().config
				next.Hosts = slices.Clone(next.Hosts)
				change(&next)
				return &next, nil
			}
			r, err := c.Reload(t.Context(), false)
			synctest.Wait()
			return r, err
		})
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestANewIntervalCountsAtOnce(t *testing.T) {
	server := config.Server{Interval: time.Hour, Parallel: 4}
	reloaded(t, server, func(t *testing.T, c *Controller, v *visitTimes, reload func(func(*config.Config)) (*Reloaded, error)) {
		begin := time.Now()
		time.Sleep(10 * time.Minute)
		for i, interval := range []time.Duration{15 * time.Minute, 4 * time.Minute, time.Hour} {
			if _, err := reload(func(c *config.Config) { c.Server.Interval = interval }); err != nil {
				t.Fatal(err)
			}
			time.Sleep([]time.Duration{20*time.Minute + time.Second, 9 * time.Minute, 62 * time.Minute}[i])
		}
		want := []time.Duration{
			0, 15 * time.Minute, 30 * time.Minute, // from the beginning of the sweep before
			34 * time.Minute, 38 * time.Minute, 98 * time.Minute,
		}
		if got := v.of("h0", begin); !slices.Equal(got, want) {
			t.Errorf("visits after %v, want %v", got, want)
		}
	})
}

// An interval that would have been over by now begins a sweep at once, and one only.
func TestAShorterIntervalThatIsOver(t *testing.T) {
	reloaded(t, config.Server{Interval: time.Hour}, func(t *testing.T, c *Controller, v *visitTimes, reload func(func(*config.Config)) (*Reloaded, error)) {
		begin := time.Now()
		time.Sleep(31 * time.Minute)
		if _, err := reload(func(c *config.Config) { c.Server.Interval = 10 * time.Minute }); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		if got := v.of("h0", begin); !slices.Equal(got, []time.Duration{0, 31 * time.Minute, 40 * time.Minute}) {
			t.Errorf("visits after %v", got)
		}
	})
}

func TestHostsComeAndGo(t *testing.T) {
	server := config.Server{Interval: time.Minute, Spread: 30 * time.Second}
	reloaded(t, server, func(t *testing.T, c *Controller, v *visitTimes, reload func(func(*config.Config)) (*Reloaded, error)) {
		begin := time.Now()
		r, err := reload(func(c *config.Config) {
			added := c.Hosts[0]
			added.Name = "h9"
			c.Hosts = append(c.Hosts[1:2:2], added) // h0 and h2 go, h9 comes
			c.Hosts[0].User = "somebody"
		})
		if err != nil || r.Hosts != 2 || r.Added != 1 || r.Removed != 2 || r.Changed != 1 {
			t.Errorf("reloaded: %+v, %v", r, err)
		}
		time.Sleep(90 * time.Second)
		for _, host := range []string{"h0", "h2"} { // their turns in the sweep under way had not come
			if got := v.of(host, begin); len(got) != 0 {
				t.Errorf("%s is visited after %v", host, got)
			}
		}
		if got := v.of("h9", begin); len(got) != 1 || got[0] < time.Minute {
			t.Errorf("h9 is visited after %v, want in the next sweep", got)
		}
		if got := v.of("h1", begin); len(got) != 2 {
			t.Errorf("h1 is visited after %v", got)
		}
	})
}

func TestWhatAReloadForgets(t *testing.T) {
	server := config.Server{Interval: time.Minute, Backoff: time.Hour}
	reloaded(t, server, func(t *testing.T, c *Controller, v *visitTimes, reload func(func(*config.Config)) (*Reloaded, error)) {
		v.fail("h0", "h1", "h2")
		var kept []bool
		c.forget = func(keep func(string) bool) { kept = append(kept, keep("h0"), keep("h2")) }
		time.Sleep(150 * time.Second) // two failures
		alone := func(want ...string) {
			t.Helper()
			var got []string
			for _, h := range c.Serving().Alone {
				got = append(got, h.Host)
			}
			if !slices.Equal(got, want) {
				t.Errorf("left alone: %v, want %v", got, want)
			}
		}
		alone("h0", "h1", "h2")
		if _, err := reload(func(c *config.Config) { c.Hosts = c.Hosts[:2]; c.Hosts[0].Port = 2222 }); err != nil {
			t.Fatal(err)
		}
		alone("h1") // h0 has changed, h2 is gone
		if !slices.Equal(kept, []bool{true, false}) {
			t.Errorf("remembered are h0 and h2: %v", kept)
		}
		if _, err := c.Reload(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		alone()
		time.Sleep(2 * time.Minute)
		alone("h0", "h1")
		r, err := reload(func(c *config.Config) { c.Server.Backoff = time.Minute })
		if err != nil || r.Asked != 2 {
			t.Errorf("reloaded: %+v, %v", r, err)
		}
		alone()
	})
}

func TestARefusedConfigurationChangesNothing(t *testing.T) {
	reloaded(t, config.Server{Interval: time.Minute}, func(t *testing.T, c *Controller, v *visitTimes, _ func(func(*config.Config)) (*Reloaded, error)) {
		m := c.manager.(*told)
		before := c.plan.Load()
		mistake := errors.New("muster.xml:3:\nno such element")
		c.load = func(context.Context) (*config.Config, error) { return nil, mistake }
		if _, err := c.Reload(t.Context(), true); !errors.Is(err, ErrConfiguration) || !errors.Is(err, mistake) {
			t.Errorf("Reload = %v", err)
		}
		s := c.Serving()
		if c.plan.Load() != before || s.Refused.IsZero() || !strings.Contains(s.Reason, "no such element") {
			t.Errorf("serving: %+v", s)
		}
		synctest.Wait()
		last := m.words[len(m.words)-1]
		if got := m.all(); !slices.Equal(got, []string{"ready", "reloading", "ready"}) || !strings.Contains(last, "refused") || strings.Contains(last, "\n") {
			t.Errorf("the manager is told %q", m.words)
		}
		c.load = func(context.Context) (*config.Config, error) { return before.config, nil }
		if _, err := c.Reload(t.Context(), false); err != nil {
			t.Error(err)
		}
		if s := c.Serving(); s.Reason != "" || !s.Refused.IsZero() {
			t.Errorf("serving: %+v", s)
		}
		c.load = nil
		if _, err := c.Reload(t.Context(), false); !errors.Is(err, ErrConfiguration) {
			t.Errorf("Reload = %v where nothing can be read", err)
		}
	})
}

// slowly is what takes a while to take a configuration over, as where a database has to be let go of.
type slowly struct {
	follower
	meanwhile func()
}

func (s *slowly) reload(ctx context.Context, next *config.Config, changed changes) (func(context.Context), error) {
	apply, err := s.follower.reload(ctx, next, changed)
	return func(ctx context.Context) {
		s.meanwhile()
		apply(ctx)
	}, err
}

// TestAPasswordOfANewConfigurationIsSharedAtOnce: hosts that are visited before all of the configuration is taken over are
// sent a password that they share as any others.
func TestAPasswordOfANewConfigurationIsSharedAtOnce(t *testing.T) {
	reloaded(t, config.Server{Interval: time.Hour}, func(t *testing.T, c *Controller, _ *visitTimes, reload func(func(*config.Config)) (*Reloaded, error)) {
		guard, err := passwords.New(t.Context(), passwords.Options{Table: forgetful{}, Logger: c.log, Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		c.guard = guard
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var sent int
		c.behind = &slowly{c.behind, func() {
			p := c.plan.Load()
			pass := p.hosts.pass()
			for i := range p.config.Hosts {
				host, _ := pass.resolve(p.at(i))
				if host.User != "monitor" {
					continue
				}
				if _, err := host.Passwords.Enter(ctx); err == nil {
					sent++
				}
			}
		}}
		if _, err := reload(func(c *config.Config) {
			for i := range 20 {
				c.Hosts = append(c.Hosts, config.Host{
					Name: fmt.Sprint("new", i), Address: fmt.Sprint("10.0.0.", i), User: "monitor", Password: config.NewSecret("wrong horse"),
				})
			}
		}); err != nil {
			t.Fatal(err)
		}
		if sent != 3 {
			t.Errorf("the password is sent to %d hosts before any has taken it, want 3", sent)
		}
	})
}

func TestWhatNeedsARestart(t *testing.T) {
	reloaded(t, config.Server{Interval: time.Minute, LogFormat: "text"}, func(t *testing.T, c *Controller, _ *visitTimes, reload func(func(*config.Config)) (*Reloaded, error)) {
		data := c.plan.Load().config.Server.Data
		change := func(c *config.Config) {
			c.Server.Data, c.Server.Listen, c.Server.LogFormat = "elsewhere", "127.0.0.1:1", "json"
			c.Queue.Size, c.Database.URL = 1<<40, "sqlite:elsewhere/muster.db"
			c.Server.Parallel = 7
		}
		want := []string{"<server data>", "<database>", "<server listen>", "<server log-format>", "<queue>"}
		for range 2 { // it still does
			r, err := reload(change)
			if err != nil || !slices.Equal(r.Restart, want) || !slices.Equal(c.Serving().Restart, want) {
				t.Errorf("reloaded: %+v, %v", r, err)
			}
		}
		if now := c.plan.Load().config; now.Server.Data != data || now.Queue.Size != 0 || now.Database.URL != "" || now.Server.Parallel != 7 {
			t.Errorf("in use: %+v", now)
		}
		if s := c.status(); !strings.Contains(s, "needs a restart: <server data>, <database>") {
			t.Errorf("status: %s", s)
		}
		if c.gate.most != 7 {
			t.Errorf("%d visits may run at once, want 7", c.gate.most)
		}
		if r, err := reload(func(c *config.Config) { c.Queue.Size = 0 }); err != nil || r.Restart != nil {
			t.Errorf("reloaded: %+v, %v", r, err)
		}
	})
}

// A visit that is under way when its host's configuration changes goes on to its end, and counts.
func TestAVisitUnderWayGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, f, h := newTestController(t, 3, 8)
		f.took = map[string]time.Duration{"h0": 30 * time.Second}
		ctx, cancel := context.WithTimeout(t.Context(), 59*time.Second)
		defer cancel()
		c.load = func(context.Context) (*config.Config, error) {
			next := *c.plan.Load().config
			next.Hosts = []config.Host{next.Hosts[0]}
			next.Hosts[0].Port++
			return &next, nil
		}
		time.AfterFunc(10*time.Second, func() {
			for range 3 {
				if _, err := c.Reload(ctx, false); err != nil {
					t.Error(err)
				}
			}
		})
		if err := c.Serve(ctx); err != nil {
			t.Fatal(err)
		}
		if kinds := h.kinds(); kinds[""] != 3 || len(kinds) != 1 {
			t.Errorf("outcomes: %v, want three reports", kinds)
		}
	})
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

// reload has a controller of the rig take over a configuration, as a later file.
func (r *rig) reload(c *Controller, change func(*config.Config)) *Reloaded {
	r.t.Helper()
	next := *r.config
	next.Hosts = slices.Clone(next.Hosts)
	if next.Mail != nil {
		mail := *next.Mail
		next.Mail = &mail
	}
	change(&next)
	c.load = func(context.Context) (*config.Config, error) { return &next, nil }
	reloaded, err := c.Reload(r.t.Context(), true)
	if err != nil {
		r.t.Fatal(err)
	}
	r.config = &next
	return reloaded
}

// sweep makes a sweep of a controller that serves, and waits until it is stored, judged and mailed.
func (r *rig) sweep(c *Controller) {
	r.t.Helper()
	p := c.behind.(*pipeline)
	_, err := c.sweep(r.t.Context(), now(c))
	if err == nil {
		err = errors.Join(p.recorder.Settle(r.t.Context()), p.watch.Settle(r.t.Context()), p.watch.Projected(r.t.Context()))
	}
	if o := p.parts.Load().outbox; err == nil && o != nil {
		err = o.Flush(r.t.Context())
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

func TestRemovedHostsAndChangedLimits(t *testing.T) {
	r := newRig(t)
	r.later(0, "h1", "h2")
	c, stop := r.serve()
	r.later(time.Minute, "h1", "h2")
	r.sweep(c)
	if got := r.query("SELECT count(*) FROM alerts WHERE state = 'firing'"); got != 2 {
		t.Fatalf("%d alerts fire", got)
	}
	since := r.query("SELECT count(*) FROM alerts WHERE state = 'firing' AND host = 'h1'")
	_, err := r.post.Wait(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}

	// h2 is gone, h1 stays as it is, h0 gets a limit.
	most := 40.0
	r.reload(c, func(c *config.Config) {
		c.Hosts = c.Hosts[:2]
		c.Hosts[0].Limits = []config.Limit{{Statistic: "memory.usage", Unit: "%", Above: &most}}
	})
	r.later(time.Minute, "h1")
	r.sweep(c)
	for query, want := range map[string]int{
		"SELECT count(*) FROM alerts WHERE host = 'h2' AND state = 'resolved'":                 1,
		"SELECT count(*) FROM alerts WHERE host = 'h0' AND state = 'firing'":                   1,
		"SELECT count(*) FROM alerts WHERE host = 'h1' AND state = 'firing'":                   since,
		"SELECT count(*) FROM alerts WHERE host = 'h1'":                                        since, // it is the same one
		"SELECT count(*) FROM hosts WHERE name = 'h2' AND removed IS NOT NULL":                 1,
		"SELECT count(*) FROM hosts WHERE removed IS NOT NULL":                                 1,
		"SELECT count(*) FROM visits WHERE host = 'h2'":                                        2,
		"SELECT count(DISTINCT visit_id) FROM visits WHERE host = 'h1' AND outcome = 'failed'": 3,
	} {
		if got := r.query(query); got != want {
			t.Errorf("%s: %d, want %d", query, got, want)
		}
	}
	// It comes back.
	r.reload(c, func(c *config.Config) {
		c.Hosts = append(c.Hosts, config.Host{Name: "h2", KnownHosts: c.Hosts[0].KnownHosts})
	})
	r.later(time.Minute)
	r.sweep(c)
	if got := r.query("SELECT count(*) FROM hosts WHERE removed IS NOT NULL"); got != 0 {
		t.Errorf("%d hosts are marked as removed", got)
	}
	if o, err := Inspect(t.Context(), r.config); err != nil || o.Serving == nil || o.Running.Hosts.Up != 3 {
		t.Errorf("Inspect = %+v, %v", o, err)
	}
	stop()
}

func TestAnotherDatabase(t *testing.T) {
	r := newRig(t)
	r.later(0, "h1")
	c, stop := r.serve()
	r.later(time.Minute, "h1")
	r.sweep(c)
	first := r.config.Database.URL
	r.reload(c, func(c *config.Config) { c.Database.URL = strings.Replace(first, "muster.db", "other.db", 1) })
	r.later(time.Minute, "h1")
	r.sweep(c)
	for query, want := range map[string]int{
		"SELECT count(*) FROM visits":                         3,
		"SELECT count(*) FROM alerts WHERE state = 'firing'":  1, // it was raised before
		"SELECT count(*) FROM hosts":                          3,
		"SELECT count(*) FROM sweeps WHERE ended IS NOT NULL": 1,
	} {
		if got := r.query(query); got != want {
			t.Errorf("%s: %d, want %d", query, got, want)
		}
	}
	// One that is none is refused, and all goes on.
	next := *r.config
	next.Database.URL = "oracle:x"
	c.load = func(context.Context) (*config.Config, error) { return &next, nil }
	if _, err := c.Reload(t.Context(), true); !errors.Is(err, ErrConfiguration) {
		t.Errorf("Reload = %v", err)
	}
	r.later(time.Minute)
	r.sweep(c)
	if got := r.query("SELECT count(*) FROM visits"); got != 6 {
		t.Errorf("%d visits are stored", got)
	}
	stop()
	r.config.Database.URL = first
	if got := r.query("SELECT count(*) FROM visits"); got != 6 {
		t.Errorf("%d visits are in the first database", got)
	}
}

func TestAnotherMailServer(t *testing.T) {
	r := newRig(t)
	other, err := sink.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Close() })
	port := r.config.Mail.Port
	_ = r.post.Close()
	r.later(0, "h1")
	c, stop := r.serve()
	r.log.wait("mail server is not available")
	p := c.behind.(*pipeline)
	if err := p.watch.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := p.parts.Load().outbox.Flush(t.Context()); err == nil {
		t.Fatal("a mail server that is closed takes mails")
	}

	// The mail that waits for the old one goes to the new one at once.
	r.reload(c, func(c *config.Config) { c.Mail.Port = other.Port() })
	mails, err := other.Wait(t.Context(), 1)
	if err != nil || len(mails) != 1 {
		t.Fatalf("%d mails, %v", len(mails), err)
	}
	r.post = other

	// Without one nobody is mailed, and with one again everybody.
	mail := r.config.Mail
	r.reload(c, func(c *config.Config) { c.Mail = nil })
	r.later(time.Minute)
	r.sweep(c)
	r.later(time.Minute, "h1")
	r.sweep(c)
	if got := r.mails(1); len(got) != 0 {
		t.Errorf("mails: %q", got)
	}
	r.reload(c, func(c *config.Config) { c.Mail = mail })
	r.later(time.Minute, "h1", "h2")
	r.sweep(c)
	if got := r.mails(1); len(got) != 1 {
		t.Errorf("mails: %q, want one with the news", got)
	}
	stop()
	if port == other.Port() {
		t.Skip("both mail servers had the same port")
	}
}

// What only the owner of the data directory may do.
func TestAskReload(t *testing.T) {
	r := newRig(t)
	if _, err := AskReload(t.Context(), r.config); !errors.Is(err, ErrUnusable) || !strings.Contains(err.Error(), "no server runs") {
		t.Errorf("AskReload = %v where no server runs", err)
	}
	c, stop := r.serve()
	next := *r.config
	next.Hosts = next.Hosts[:1]
	c.load = func(context.Context) (*config.Config, error) { return &next, nil }
	if got, err := AskReload(t.Context(), r.config); err != nil || got.Removed != 2 || got.Hosts != 1 {
		t.Errorf("AskReload = %+v, %v", got, err)
	}
	c.load = func(context.Context) (*config.Config, error) { return nil, errors.New("line 3 is wrong") }
	if _, err := AskReload(t.Context(), r.config); !errors.Is(err, ErrConfiguration) || !strings.Contains(err.Error(), "line 3 is wrong") {
		t.Errorf("AskReload = %v", err)
	}
	if o, err := Inspect(t.Context(), r.config); err != nil || !strings.Contains(o.Serving.Reason, "line 3") || o.Serving.Next.IsZero() {
		t.Errorf("Inspect = %+v, %v", o.Serving, err)
	}
	stop()
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := c.Reload(ctx, true); !errors.Is(err, errNotServing) {
		t.Errorf("Reload = %v of a server that has ended", err)
	}
}

// Fifty reloads leave nothing behind.
func TestReloadsLeaveNothingBehind(t *testing.T) {
	r := newRig(t)
	c, stop := r.serve()
	size := func() (files int) {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skip("descriptors can't be counted here:", err)
		}
		return len(entries)
	}
	flip := func(i int) {
		r.reload(c, func(c *config.Config) {
			c.Hosts[2].Name = fmt.Sprint("n", i%2)
			c.Database.URL = "sqlite:" + filepath.Join(filepath.Dir(c.Server.Data), "database", fmt.Sprint(i%2, ".db"))
			c.Mail.Timeout = time.Duration(5+i%2) * time.Second
			if i%4 == 3 {
				c.Server.Parallel = i
			}
		})
		r.later(time.Minute)
		r.sweep(c)
	}
	for i := range 4 {
		flip(i)
	}
	before := size()
	for i := range 50 {
		flip(i)
	}
	if after := size(); after > before+4 {
		t.Errorf("%d descriptors before 50 reloads, %d after", before, after)
	}
	stop()
}

var _ visit.Observer = (*rig)(nil)
