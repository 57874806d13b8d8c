package visit

import (
	"context"
	"errors"
	"slices"
)

// Observers is several observers as one. They are told one after the other, in their order, on the goroutine of whoever
// tells. The list must not change while a sweep goes on.
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

// SweepEnded tells every observer, also those after one that fails, and returns all errors joined.
func (o Observers) SweepEnded(ctx context.Context, s Sweep) error {
	var failed []error
	for _, observer := range o {
		failed = append(failed, observer.SweepEnded(ctx, s))
	}
	return errors.Join(slices.Clip(failed)...)
}
