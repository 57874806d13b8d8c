package cli

import (
	"context"
	"io"
	"sync"
	"sync/atomic"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"muster/internal/visit"
)

// progress is the observer that shows on a terminal how far a sweep has got. Where nobody watches it is silent. Between
// sweeps nothing is drawn, so that what others print stays: SweepEnded and Close return once the bar is off the terminal.
type progress struct {
	stderr  io.Writer
	visible bool
	failed  atomic.Int64 // visits of the sweep; the bar reads it whenever it is drawn
	records atomic.Int64 // log records of the sweep; likewise

	mu   sync.Mutex
	bars *mpb.Progress // what draws; nil: no sweep is shown
	bar  *mpb.Bar      // of the sweep that is shown
}

func newProgress(stderr io.Writer) *progress {
	return &progress{stderr: stderr, visible: isTerminal(stderr)}
}

// Log is where log lines go: above the bar while there is one.
func (p *progress) Log() io.Writer { return (*progressLog)(p) }

type progressLog progress

func (l *progressLog) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.bars != nil {
		return l.bars.Write(line)
	}
	return l.stderr.Write(line)
}

// Close takes the progress off the terminal. It may be called more than once.
func (p *progress) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bars == nil {
		return
	}
	p.bar.Abort(true) // a complete bar has removed itself, or is about to
	p.bars.Wait()
	p.bars, p.bar = nil, nil
}

// SweepStarted shows a bar of the sweep, in place of one before.
func (p *progress) SweepStarted(_ context.Context, s visit.Sweep) {
	if !p.visible {
		return
	}
	p.Close()
	p.failed.Store(0)
	p.records.Store(0)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bars = mpb.New(mpb.WithOutput(p.stderr), mpb.WithWidth(40), mpb.WithAutoRefresh())
	p.bar = p.bars.New(int64(s.Hosts), mpb.BarStyle(),
		mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(decor.Name("visiting "), decor.CountersNoUnit("%d/%d ")),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return p.came() + p.failures() })),
	)
}

// Visited counts the visit.
func (p *progress) Visited(_ context.Context, v *visit.Visit) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar == nil {
		return
	}
	if v.Failure != nil {
		p.failed.Add(1)
	}
	for i := range v.Logs {
		p.records.Add(int64(v.Logs[i].Records))
	}
	p.bar.Increment()
}

// SweepEnded takes the bar off the terminal.
func (p *progress) SweepEnded(context.Context, visit.Sweep) error {
	p.Close()
	return nil
}

// came says how many log records the sweep has brought.
func (p *progress) came() string {
	records := int(p.records.Load())
	if records == 0 {
		return ""
	}
	return " " + count(records, "log record")
}

func (p *progress) failures() string {
	failed := int(p.failed.Load())
	if failed == 0 {
		return ""
	}
	return " " + count(failed, "failure")
}
