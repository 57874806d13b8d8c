package controller

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"muster/internal/config"
	"muster/internal/report"
)

// Reloaded is what a reload came to.
type Reloaded struct {
	Hosts   int      `json:"hosts"` // in the configuration
	Added   int      `json:"added"`
	Removed int      `json:"removed"`
	Changed int      `json:"changed"` // hosts that the configuration had before, in another form
	Asked   int      `json:"asked"`   // hosts that were left alone because they fail, and are visited in the next sweep
	Restart []string `json:"needs_restart,omitempty"`
}

// errNotServing says that there is nothing that a configuration could be reloaded for.
var errNotServing = errors.New("the server is being stopped")

// Reload reads the configuration anew and works by it from now on. Visits under way go on; what is remembered of hosts that
// stay as they are, stays; sweeps under way visit hosts whose turn is yet to come as the new configuration has them. With
// afresh, hosts that are left alone because they fail are visited in the next sweep; otherwise those that have changed.
//
// The error, which wraps ErrConfiguration, says what is wrong with a configuration that is refused: then all goes on as
// before. Reload waits for one that is under way, and until Serve serves.
func (c *Controller) Reload(ctx context.Context, afresh bool) (*Reloaded, error) {
	select {
	case <-c.reloading:
		defer func() { c.reloading <- struct{}{} }()
	case <-ctx.Done():
		return nil, errNotServing
	}
	c.manager.Reloading()
	defer func() { c.manager.Ready(c.status()) }()
	if c.load == nil {
		return nil, fmt.Errorf("%w: it was not read from a file", ErrConfiguration)
	}
	next, err := c.load(ctx)
	var r *Reloaded
	if err == nil {
		r, err = c.adopt(ctx, next, afresh)
	}
	if err != nil && ctx.Err() != nil {
		return nil, fmt.Errorf("the configuration was not read to its end: %w", ctx.Err())
	}
	if err != nil {
		c.refuse(ctx, err)
		return nil, fmt.Errorf("%w: the one in use goes on: %w", ErrConfiguration, err)
	}
	return r, nil
}

// refuse notes that a configuration is not taken.
func (c *Controller) refuse(ctx context.Context, err error) {
	c.log.ErrorContext(ctx, "the new configuration is refused: the one in use goes on", "err", err)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state.Refused, c.state.Reason = c.now(), report.Visible(err.Error(), 2000)
}

// adopt takes a configuration over. It takes all that can fail before it changes anything.
func (c *Controller) adopt(ctx context.Context, next *config.Config, afresh bool) (*Reloaded, error) {
	old := c.plan.Load().config
	next, restart := settled(old, next)
	changed := compare(old, next)
	apply, err := c.behind.reload(ctx, next, changed)
	if err != nil {
		return nil, err
	}
	if c.guard != nil {
		// Before any host is visited as the plan has it, which may be long before all else is taken over: what is not known to
		// be shared would be sent to all at once.
		c.guard.SetAccounts(accounts(next.Hosts))
	}
	p := c.newPlan(next)
	c.plan.Store(p)
	c.gate.bound(next.Server.Parallel)
	r := &Reloaded{
		Hosts: len(next.Hosts), Added: len(changed.added), Removed: len(changed.removed), Changed: len(changed.hosts), Restart: restart,
	}
	if afresh || next.Server.Interval != old.Server.Interval || next.Server.Backoff != old.Server.Backoff {
		r.Asked = c.backoff.clear()
	}
	c.backoff.forget(slices.Concat(changed.hosts, changed.removed)...)
	c.forget(func(host string) bool { _, known := p.index[host]; return known })
	apply(ctx)
	if c.logs != nil {
		c.logs.adopt(ctx, next)
	}
	c.adopted()

	c.mu.Lock()
	c.state.Loaded, c.state.Restart = c.now(), restart
	c.state.Refused, c.state.Reason = time.Time{}, ""
	c.mu.Unlock()
	c.log.InfoContext(ctx, "the configuration is reloaded", "hosts", r.Hosts, "added", r.Added, "removed", r.Removed,
		"changed", r.Changed, "mail", changed.mail, "database", changed.database, "afresh", r.Asked)
	for _, what := range restart {
		c.log.WarnContext(ctx, "this part of the configuration needs a restart of the server: until then it is as it was", "part", what)
	}
	select {
	case c.changed <- struct{}{}:
	default:
	}
	return r, nil
}

// settled returns the next configuration with those parts of the old that a running server can't change, and their names
// where they differ.
func settled(old, next *config.Config) (*config.Config, []string) {
	var differ []string
	c := *next
	keep := func(name string, same bool) {
		if !same {
			differ = append(differ, name)
		}
	}
	keep("<server data>", c.Server.Data == old.Server.Data)
	if c.Server.Data != old.Server.Data && !reflect.DeepEqual(c.Database, old.Database) {
		differ = append(differ, "<database>") // it may lie in the data directory
		c.Database = old.Database
	}
	keep("<server listen>", c.Server.Listen == old.Server.Listen)
	keep("<server log-format>", c.Server.LogFormat == old.Server.LogFormat)
	keep("<queue>", reflect.DeepEqual(c.Queue, old.Queue))
	c.Server.Data, c.Server.Listen, c.Server.LogFormat, c.Queue = old.Server.Data, old.Server.Listen, old.Server.LogFormat, old.Queue
	return &c, differ
}

// changes is what differs between two configurations.
type changes struct {
	added, removed, hosts []string // hosts; hosts are those that stay, in another form
	mail, database        bool     // in whatever way
}

func compare(old, next *config.Config) changes {
	c := changes{
		mail:     !reflect.DeepEqual(old.Mail, next.Mail),
		database: !reflect.DeepEqual(old.Database, next.Database),
	}
	before := make(map[string]*config.Host, len(old.Hosts))
	for i := range old.Hosts {
		before[old.Hosts[i].Name] = &old.Hosts[i]
	}
	for i := range next.Hosts {
		host := &next.Hosts[i]
		was, known := before[host.Name]
		switch {
		case !known:
			c.added = append(c.added, host.Name)
		case !reflect.DeepEqual(was, host):
			c.hosts = append(c.hosts, host.Name)
		}
		delete(before, host.Name)
	}
	for i := range old.Hosts {
		if _, gone := before[old.Hosts[i].Name]; gone {
			c.removed = append(c.removed, old.Hosts[i].Name)
		}
	}
	return c
}
