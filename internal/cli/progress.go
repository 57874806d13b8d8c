package cli

import (
	"context"
	"io"
	"sync"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"muster/internal/visit"
)

// progress is the observer that shows on a terminal how far a sweep has got. Where nobody watches it is silent.
type progress struct {
	stderr  io.Writer
	visible bool
	bars    *mpb.Progress

	mu     sync.Mutex
	bar    *mpb.Bar
	failed int
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
	p.mu.Lock()
	if p.bar != nil {
		p.bar.Abort(true)
	}
	p.mu.Unlock()
	p.bars.Wait()
}

func (p *progress) SweepStarted(_ context.Context, s visit.Sweep) {
	if !p.visible {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failed = 0
	p.bar = p.bars.New(int64(s.Hosts), mpb.BarStyle(),
		mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(decor.Name("visiting "), decor.CountersNoUnit("%d/%d ")),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return p.failures() })),
	)
}

func (p *progress) Visited(_ context.Context, v *visit.Visit) {
	if !p.visible {
		return
	}
	p.mu.Lock()
	if v.Failure != nil {
		p.failed++
	}
	bar := p.bar
	p.mu.Unlock()
	bar.Increment()
}

// SweepEnded has nothing to do: a complete bar removes itself.
func (p *progress) SweepEnded(context.Context, visit.Sweep) error { return nil }

func (p *progress) failures() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failed == 0 {
		return ""
	}
	return " " + count(p.failed, "failure")
}
