package watch

import (
	"context"
	"errors"

	"muster/internal/store"
)

// projectMost is how many alerts are written to the database at once.
const projectMost = 2000

// Project writes to the database what is known of the alerts, and keeps it up to date until ctx ends. While the database
// is away it tries again; nobody waits for it. Open is called until it succeeds.
func (w *Watch) Project(ctx context.Context, open func(context.Context) (Projection, error)) {
	var database Projection
	for wait := retryFirst; ; {
		select {
		case <-w.dirty:
		case <-ctx.Done():
			return
		}
		var err error
		if database == nil {
			opened, failed := open(ctx)
			if err = failed; err == nil {
				database = opened
			}
		}
		for err == nil {
			var more bool
			if more, err = w.project(ctx, database); !more {
				break
			}
		}
		w.attempt(err)
		if err == nil {
			wait = retryFirst
			continue
		}
		if ctx.Err() != nil {
			return
		}
		w.log.WarnContext(ctx, "alerts are not in the database yet", "err", err, "retry", wait)
		if !pause(ctx, wait, w.hurry) {
			return
		}
		wait = min(2*wait, retryMost)
		w.nudge()
	}
}

// Reproject has all alerts written again that are not over for long: the database is another one.
func (w *Watch) Reproject() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, alerts := range w.state.hosts() {
		for _, e := range alerts {
			e.projected = false
		}
	}
	w.nudge()
}

// Projected returns when the database has all alerts as they are, or an attempt to write them that was made since the call
// has failed: then with the reason. It cuts the wait for the next attempt short.
func (w *Watch) Projected(ctx context.Context) error {
	for {
		w.mu.Lock()
		attempted, complete := w.attempted, w.complete()
		w.mu.Unlock()
		if complete {
			return nil
		}
		for _, token := range []chan struct{}{w.hurry, w.dirty} {
			select {
			case token <- struct{}{}:
			default:
			}
		}
		select {
		case <-attempted:
		case <-ctx.Done():
			return ctx.Err()
		}
		w.mu.Lock()
		failed := w.failed
		w.mu.Unlock()
		if failed != nil {
			return failed
		}
	}
}

// complete reports whether the database has all alerts as they are. mu is held.
func (w *Watch) complete() bool {
	for _, alerts := range w.state.hosts() {
		for _, e := range alerts {
			if !e.projected {
				return false
			}
		}
	}
	return true
}

// attempt notes that the database was tried.
func (w *Watch) attempt(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.failed = err
	close(w.attempted)
	w.attempted = make(chan struct{})
}

// project writes alerts that the database does not have as they are; false if there are no more.
func (w *Watch) project(ctx context.Context, database Projection) (bool, error) {
	rows, alerts := w.unprojected()
	if len(rows) == 0 {
		return false, nil
	}
	err := database.SaveAlerts(ctx, rows)
	if err != nil && !errors.Is(err, store.ErrUnavailable) && ctx.Err() == nil {
		err = w.projectEach(ctx, database, rows, err)
	}
	if err != nil {
		return false, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, e := range alerts {
		if toStore(e, w.notified(e)) == rows[i] {
			e.projected = true // what has changed meanwhile is written next time
		}
	}
	return true, nil
}

// projectEach writes alerts one by one where the database does not take them together: one that it refuses is logged and
// left out, if it takes another.
func (w *Watch) projectEach(ctx context.Context, database Projection, rows []store.Alert, first error) error {
	taken := false
	for i := range rows {
		err := database.SaveAlerts(ctx, rows[i:i+1])
		switch {
		case err == nil:
			taken = true
		case errors.Is(err, store.ErrUnavailable) || ctx.Err() != nil:
			return err
		default:
			w.log.ErrorContext(ctx, "alert can't be stored", "host", rows[i].Host, "statistic", rows[i].Statistic, "err", err)
		}
	}
	if !taken {
		return first
	}
	return nil
}

func (w *Watch) unprojected() (rows []store.Alert, alerts []*entryOf) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, known := range w.state.hosts() {
		for _, e := range known {
			if !e.projected && len(rows) < projectMost {
				rows = append(rows, toStore(e, w.notified(e)))
				alerts = append(alerts, e)
			}
		}
	}
	return rows, alerts
}

func toStore(e *entryOf, notified string) store.Alert {
	a := &e.Alert
	return store.Alert{
		ID: a.ID, Host: a.Host, Statistic: a.Statistic, Instance: a.Instance, Direction: string(a.Direction),
		Unit: a.Unit, Limit: a.Limit, State: string(a.Phase), Since: a.Since, Raised: a.Raised, Ended: a.Ended,
		Value: a.Value, Text: a.Text, Updated: a.Updated, Notified: notified,
	}
}
