package controller

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"muster/internal/config"
	"muster/internal/mail/sink"
)

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
