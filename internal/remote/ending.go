package remote

import (
	"context"
	"errors"
	"fmt"
	"time"

	"muster/internal/failure"
)

// stageTimeout ends a connection at the end of a stage's deadline.
type stageTimeout struct {
	stage failure.Stage
	limit time.Duration
}

func (e *stageTimeout) Error() string { return fmt.Sprintf("not done within %s", e.limit) }

// Is makes a stage's deadline a deadline like any other.
func (e *stageTimeout) Is(target error) bool { return target == context.DeadlineExceeded }

// contextEnd ends a connection because a context ended. The cause that a caller may have given is for people; whether it
// was a deadline is for the kind of the failure.
type contextEnd struct{ err, cause error }

func newContextEnd(ctx context.Context) *contextEnd {
	return &contextEnd{err: ctx.Err(), cause: context.Cause(ctx)}
}

func (e *contextEnd) Error() string {
	switch {
	case !errors.Is(e.err, e.cause):
		return e.cause.Error()
	case errors.Is(e.err, context.DeadlineExceeded):
		return "not done within its deadline"
	}
	return "cancelled"
}

func (e *contextEnd) Unwrap() []error { return []error{e.err, e.cause} }

// isOurs tells whether it was we who ended a connection, at a deadline or because its context ended.
func isOurs(reason error) bool {
	var timeout *stageTimeout
	var ended *contextEnd
	return errors.As(reason, &timeout) || errors.As(reason, &ended)
}

// because is the failure of a connection that ended for the given reason.
func because(reason error) *failure.Error {
	return failure.New("", failure.Classify(reason), reason)
}

// endWith ends w when ctx ends. The returned function ends the watch.
func endWith(ctx context.Context, w *wire) (release func() bool) {
	return context.AfterFunc(ctx, func() { w.end(newContextEnd(ctx)) })
}
