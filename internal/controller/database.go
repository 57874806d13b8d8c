package controller

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"muster/internal/config"
	"muster/internal/store"
)

// database is the database, which is opened when it is first needed and can be.
type database struct {
	options store.Options
	keep    time.Duration // 0: for ever
	now     func() time.Time
	log     *slog.Logger
	turn    chan struct{} // holds a token while somebody opens

	mu     sync.Mutex
	hosts  []string // of the configuration; others in the database are marked as removed …
	marked bool     // … as they are already
	store  *store.Store
}

// newDatabase checks what can be without the database.
func newDatabase(c *config.Config, log *slog.Logger, now func() time.Time) (*database, error) {
	if err := store.CheckURL(c.Database.URL); err != nil {
		return nil, fmt.Errorf("%w: database: %w", ErrConfiguration, err)
	}
	d := &database{
		options: store.Options{URL: c.Database.URL, Password: c.Database.Password.Reveal(), Logger: log},
		keep:    c.Database.Keep,
		now:     now,
		log:     log,
		turn:    make(chan struct{}, 1),
	}
	d.setHosts(c.Hosts)
	return d, nil
}

// setHosts says which hosts the configuration has. They are marked when somebody gets the store.
func (d *database) setHosts(hosts []config.Host) {
	names := make([]string, len(hosts))
	for i := range hosts {
		names[i] = hosts[i].Name
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.hosts, d.marked = names, false
}

// get returns the store, which it opens if nobody has, after it has marked the hosts. The store is closed with the
// database.
func (d *database) get(ctx context.Context) (*store.Store, error) {
	select {
	case d.turn <- struct{}{}:
		defer func() { <-d.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	d.mu.Lock()
	opened, hosts, marked := d.store, d.hosts, d.marked
	d.mu.Unlock()
	if opened != nil && marked {
		return opened, nil
	}
	fresh := opened == nil
	if fresh {
		var err error
		if opened, err = store.Open(ctx, d.options); err != nil {
			return nil, err
		}
	}
	if err := opened.SetHosts(ctx, hosts, d.now()); err != nil {
		if fresh {
			err = errors.Join(err, opened.Close())
		}
		return nil, err
	}
	if fresh {
		d.log.InfoContext(ctx, "database is available", "database", opened.String())
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.store, d.marked = opened, true // hosts are set while nobody gets the store
	return opened, nil
}

// Close closes the store, if it was opened.
func (d *database) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.store == nil {
		return nil
	}
	return d.store.Close()
}

// pruneEvery is how often history that is too old is deleted.
const pruneEvery = time.Hour

// prune deletes history that is older than the configuration wants it kept, until ctx ends.
func (d *database) prune(ctx context.Context) {
	if d.keep == 0 {
		return
	}
	ticker := time.NewTicker(pruneEvery)
	defer ticker.Stop()
	for {
		d.pruneOnce(ctx, d.now().Add(-d.keep))
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

func (d *database) pruneOnce(ctx context.Context, before time.Time) {
	s, err := d.get(ctx)
	if err != nil {
		return // the recorder says so, and the next time comes
	}
	pruned, err := s.Prune(ctx, before)
	if err != nil && ctx.Err() == nil {
		d.log.WarnContext(ctx, "history is not deleted: it is tried again in an hour", "before", before, "err", err)
		return
	}
	d.log.InfoContext(ctx, "history is deleted", "before", before, "statistics", pruned.Statistics, "visits", pruned.Visits)
}

// ErrConfiguration is in the chain of errors that say that the configuration can't be meant so, though it could be read.
var ErrConfiguration = errors.New("configuration")

// ReadStore opens the database that the configuration names for reading, and leaves it as it is. The error wraps
// ErrConfiguration, or ErrUnusable, which is also that of a database that is not there yet, or is ctx's. The caller closes
// the store.
func ReadStore(ctx context.Context, c config.Database, log *slog.Logger) (*store.Store, error) {
	opened, err := store.Open(ctx, store.Options{URL: c.URL, Password: c.Password.Reveal(), Logger: log, AsIs: true})
	switch {
	case errors.Is(err, store.ErrURL):
		return nil, fmt.Errorf("%w: database: %w", ErrConfiguration, err)
	case err != nil && ctx.Err() != nil:
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("database %w: %w", ErrUnusable, err)
	}
	if v := opened.Version(); v.Now != v.Program {
		err := fmt.Errorf("database %w: %s has version %d, this program needs %d: muster run and muster serve see to that, or muster db migrate",
			ErrUnusable, opened, v.Now, v.Program)
		return nil, errors.Join(err, opened.Close())
	}
	return opened, nil
}
