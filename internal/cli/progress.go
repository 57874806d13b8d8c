package cli

import (
	"context"
	"io"
	"sync/atomic"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"muster/internal/visit"
)

// progress is the observer that shows on a terminal how far a sweep has got. Where nobody watches it is silent.
type progress struct {
	stderr  io.Writer
	visible bool
	bars    *mpb.Progress

	bar    atomic.Pointer[mpb.Bar] // of the latest sweep; nil: none yet
	failed atomic.Int64            // visits of that sweep; the bar reads it whenever it is drawn
}

func newProgress(stderr io.Writer) *progress {
	p := &progress{stderr: stderr, visible: isTerminal(stderr)}
	if p.visible {
		p.bars = mpb.New(mpb.WithOutput(stderr), mpb.WithWidth(40), mpb.WithAutoRefresh())
	}
	return p
}

// Log is where log lines go while progress is shown: above it.
func (p *progress) Log() io.Writer {
	if p.visible {
		return p.bars
	}
	return p.stderr
}

// Close takes the progress off the terminal.
func (p *progress) Close() {
	if !p.visible {
		return
	}
	if bar := p.bar.Load(); bar != nil {
		bar.Abort(true)
	}
	p.bars.Wait()
}

func (p *progress) SweepStarted(_ context.Context, s visit.Sweep) {
	if !p.visible {
		return
	}
	p.failed.Store(0)
	p.bar.Store(p.bars.New(int64(s.Hosts), mpb.BarStyle(),
		mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(decor.Name("visiting "), decor.CountersNoUnit("%d/%d ")),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return p.failures() })),
	))
}

func (p *progress) Visited(_ context.Context, v *visit.Visit) {
	if !p.visible {
		return
	}
	if v.Failure != nil {
		p.failed.Add(1)
	}
	p.bar.Load().Increment()
}

// SweepEnded has nothing to do: a complete bar removes itself.
func (p *progress) SweepEnded(context.Context, visit.Sweep) error { return nil }

func (p *progress) failures() string {
	failed := int(p.failed.Load())
	if failed == 0 {
		return ""
	}
	return " " + count(failed, "failure")
}
