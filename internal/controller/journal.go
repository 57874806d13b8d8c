package controller

import (
	"context"
	"log/slog"
	"sync"

	"muster/internal/failure"
	"muster/internal/visit"
)

// journal is the observer that writes the log: the start of each sweep, the end of each visit, and, once each, that a
// host can't be visited any more or can be again.
type journal struct {
	log *slog.Logger

	mu   sync.Mutex
	down map[string]failure.Kind // hosts whose last visit failed
}

func newJournal(log *slog.Logger) *journal {
	return &journal{log: log, down: make(map[string]failure.Kind)}
}

func (j *journal) SweepStarted(ctx context.Context, s visit.Sweep) {
	j.log.InfoContext(ctx, "sweep started", "sweep", s.Time, "hosts", s.Hosts)
}

func (j *journal) Visited(ctx context.Context, v *visit.Visit) {
	log := j.log.With("host", v.Host, "visit", v.ID, "sweep", v.Sweep)
	if v.Failure != nil && v.Failure.Jump != "" {
		log = log.With("jump", v.Failure.Jump)
	}
	switch {
	case v.Failure == nil:
		log.InfoContext(ctx, "visit ended", "took", v.Took, "sent", v.Sent, "received", v.Received,
			"statistics", len(v.Report.Statistics), "failures", len(v.Report.Failures), "uploaded", v.Uploaded)
		for _, f := range v.Report.Failures {
			log.WarnContext(ctx, "source failed", "source", f.Source, "err", f.Reason)
		}
	case saysNothing(v):
		log.InfoContext(ctx, "visit skipped", "stage", v.Failure.Stage, "kind", v.Failure.Kind, "err", v.Failure.Err)
	default:
		log.WarnContext(ctx, "visit failed", "took", v.Took, "stage", v.Failure.Stage, "kind", v.Failure.Kind,
			"err", v.Failure.Err, "advice", v.Failure.Help())
	}
	if v.Log != "" {
		log.DebugContext(ctx, "log of the client", "log", v.Log)
	}
	switch before, now := j.change(v); {
	case now != "" && before == "":
		log.WarnContext(ctx, "host is down", "kind", now)
	case now == "" && before != "":
		log.InfoContext(ctx, "host is back", "was", before)
	}
}

// SweepEnded has nothing to add: the controller logs the end, with what the sweep came to.
func (j *journal) SweepEnded(context.Context, visit.Sweep) error { return nil }

// change returns what was and what is wrong with the visited host; "" is nothing. Visits that say nothing of the host
// change nothing.
func (j *journal) change(v *visit.Visit) (before, now failure.Kind) {
	j.mu.Lock()
	defer j.mu.Unlock()
	before = j.down[v.Host]
	switch {
	case v.Failure == nil:
		delete(j.down, v.Host)
		return before, ""
	case saysNothing(v):
		return before, before
	}
	j.down[v.Host] = v.Failure.Kind
	return before, v.Failure.Kind
}

// saysNothing reports whether a failed visit is no news of its host: the server was stopped, the visit before still runs,
// or the host is left alone.
func saysNothing(v *visit.Visit) bool { return v.Failure != nil && v.Failure.Kind.SaysNothing() }
