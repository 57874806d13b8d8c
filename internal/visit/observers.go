package visit

import (
	"context"
	"errors"
	"sync"
)

// Observers is several observers as one. They are told of starts and visits one after the other, in their order, on the
// goroutine of whoever tells. The list must not change while a sweep goes on.
type Observers []Observer

// SweepStarted tells every observer.
func (o Observers) SweepStarted(ctx context.Context, s Sweep) {
	for _, observer := range o {
		observer.SweepStarted(ctx, s)
	}
}

// Visited tells every observer.
func (o Observers) Visited(ctx context.Context, v *Visit) {
	for _, observer := range o {
		observer.Visited(ctx, v)
	}
}

// SweepEnded tells all observers at once, so that one that waits for something takes no time from the others, and returns
// all errors joined, in the order of the observers, when the last is done.
func (o Observers) SweepEnded(ctx context.Context, s Sweep) error {
	failed := make([]error, len(o))
	var told sync.WaitGroup
	for i, observer := range o {
		told.Go(func() { failed[i] = observer.SweepEnded(ctx, s) })
	}
	told.Wait()
	return errors.Join(failed...)
}
