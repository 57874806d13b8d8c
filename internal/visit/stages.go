package visit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"muster/internal/failure"
	"muster/internal/report"
	"muster/internal/seal"
)

// stopwatch takes the time of the stages. The zero value is ready for use.
type stopwatch struct {
	stage failure.Stage // the one that runs, or ran last; empty before the first
	since time.Time
	took  map[failure.Stage]time.Duration
	idle  bool // none runs
}

// begin ends the stage that runs and begins another. One that comes again adds to its time.
func (w *stopwatch) begin(stage failure.Stage, now time.Time) {
	if w.took == nil {
		w.took = make(map[failure.Stage]time.Duration, len(failure.Stages()))
	}
	w.pause(now)
	w.stage, w.since, w.idle = stage, now, false
}

// pause ends the stage that runs. It is still the one that ran last.
func (w *stopwatch) pause(now time.Time) {
	if w.stage != "" && !w.idle {
		w.took[w.stage] += now.Sub(w.since)
	}
	w.idle = true
}

// stop ends the stage that runs and returns all that there were, in their order.
func (w *stopwatch) stop(now time.Time) []Timing {
	w.pause(now)
	var timings []Timing
	for _, stage := range failure.Stages() {
		if took, ok := w.took[stage]; ok {
			timings = append(timings, Timing{Stage: stage, Took: took})
		}
	}
	return timings
}

// begin is called by package remote, too, while it dials: one call at a time, and none afterwards.
func (a *attempt) begin(stage failure.Stage) {
	a.clock.begin(stage, a.now())
	a.trace.begin(stage)
}

// stage runs one stage. The connection is closed when its limit has passed, or ctx has ended.
func (a *attempt) stage(ctx context.Context, stage failure.Stage, limit time.Duration, do func(context.Context) error) error {
	a.begin(stage)
	ctx, cancel := within(ctx, "it", limit)
	defer cancel()
	defer a.closeWith(ctx)()
	if ctx.Err() != nil {
		return explain(ctx, stage, ctx.Err())
	}
	return explain(ctx, stage, do(ctx))
}

// closeWith closes the connection when ctx ends. The returned function ends the watch and waits for it.
func (a *attempt) closeWith(ctx context.Context) (release func()) {
	conn := a.conn
	if conn == nil {
		return func() {}
	}
	closed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(closed)
		_ = conn.Close()
	})
	return func() {
		if !stop() {
			<-closed
		}
	}
}

// within bounds a context. No limit leaves it as it is.
func within(ctx context.Context, what string, limit time.Duration) (context.Context, context.CancelFunc) {
	if limit <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeoutCause(ctx, limit, &overdue{what, limit})
}

// overdue is the end of a deadline.
type overdue struct {
	what  string
	limit time.Duration
}

func (e *overdue) Error() string { return fmt.Sprintf("%s did not end within %s", e.what, e.limit) }

// Is makes it a deadline like any other.
func (e *overdue) Is(target error) bool { return target == context.DeadlineExceeded }

var (
	errCancelled = fmt.Errorf("the visit was stopped: %w", context.Canceled)
	errOther     = errors.New("the report is another's")
	errReplayed  = errors.New("the report is that of the visit before, sent again")
)

// unasked is a report that comes in another way than was asked for.
type unasked struct{ file bool }

func (e *unasked) Error() string {
	if e.file {
		return "the client left its report in a file, and was not asked to"
	}
	return "the client sent its report directly, and was asked for a file"
}

// panicked is a defect of ours.
type panicked struct{ cause any }

func (e *panicked) Error() string { return fmt.Sprintf("muster broke down: %v", e.cause) }

// explain returns the failure of a stage that ran within ctx, or nil if err is. Where ctx has ended, an error of the
// connection is only the echo of it.
func explain(ctx context.Context, stage failure.Stage, err error) error {
	if err == nil {
		return nil
	}
	failed := classify(stage, err)
	if ctx.Err() == nil || !failed.Kind.IsInterruption() || failed.Jump != "" {
		return failed // a jump host that is to blame says more than that the time is up
	}
	cause := context.Cause(ctx)
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return failure.New(stage, failure.Timeout, cause)
	}
	if errors.Is(cause, context.Canceled) {
		cause = errCancelled
	}
	return failure.New(stage, failure.Cancelled, cause)
}

// classify finds the kind of an error that a stage ends with.
func classify(stage failure.Stage, err error) *failure.Error {
	var known *failure.Error
	var invalid *report.ParseError
	var wrong *report.AnswerError
	var direct *unasked
	var none *noReport
	var kind failure.Kind
	switch {
	case errors.As(err, &none):
		failed := failure.New(stage, none.kind, none)
		failed.Advice = none.advice
		return failed
	case errors.As(err, &known):
		moved := *known
		if moved.Stage == "" {
			moved.Stage = stage
		}
		return &moved
	case errors.Is(err, report.ErrTooLarge), errors.Is(err, seal.ErrTooLarge):
		kind = failure.ReportTooLarge
	case errors.Is(err, report.ErrCut):
		kind = failure.ReportCut
	case errors.Is(err, report.ErrAltered), errors.Is(err, seal.ErrAltered):
		kind = failure.ReportAltered
	case errors.Is(err, errReplayed), errors.Is(err, errOther):
		kind = failure.ReportReplayed
	case errors.As(err, &invalid), errors.As(err, &wrong), errors.As(err, &direct), errors.Is(err, seal.ErrFormat):
		kind = failure.ReportInvalid
	default:
		if kind = failure.Classify(err); kind == failure.Disconnected {
			kind = failure.Internal // what concerns the connection comes from package remote, and is known
		}
	}
	return failure.New(stage, kind, err)
}
