package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"muster/internal/config"
	"muster/internal/passwords"
)

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
