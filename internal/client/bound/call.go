// Package bound keeps a call that may never return from holding up its caller.
//
// Some calls end only when the kernel wills it: statfs on a dead NFS server, a read from a pipe, a write to a full one.
// No signal and no context interrupts them. Call runs such a function beside the caller and stops waiting when the
// context ends. What the function returns afterwards is dropped: results travel by value, so that an abandoned call can
// write into nothing that is still in use.
//
// The goroutine of an abandoned call, and the thread that is stuck in the kernel with it, last until the call returns or
// the process ends. So this is for a process that ends soon after, which the client is, and not for a server.
package bound

import (
	"context"
	"fmt"
)

// Call runs f with ctx and returns its results, or the cause of ctx's end (context.Cause) as soon as ctx ends first. It
// blocks no longer than that. A panic in f is returned as an error that says what it was. Where f and ctx end at the
// same time, f's results are preferred.
func Call[T any](ctx context.Context, f func(context.Context) (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1) // of one, so that an abandoned f can leave its result and end
	go func() {
		var r result
		defer func() {
			if p := recover(); p != nil {
				r = result{err: fmt.Errorf("panic: %v", p)}
			}
			done <- r
		}()
		r.value, r.err = f(ctx)
	}()

	var r result
	select {
	case r = <-done:
	case <-ctx.Done():
		select {
		case r = <-done:
		default:
			r.err = context.Cause(ctx)
		}
	}
	return r.value, r.err
}

// Do is Call for a function that returns no value.
func Do(ctx context.Context, f func(context.Context) error) error {
	_, err := Call(ctx, func(ctx context.Context) (struct{}, error) { return struct{}{}, f(ctx) })
	return err
}
