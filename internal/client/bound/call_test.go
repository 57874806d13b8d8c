package bound_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"muster/internal/client/bound"
)

func TestCallReturnsWhatTheFunctionReturns(t *testing.T) {
	broken := errors.New("broken")
	value, err := bound.Call(t.Context(), func(context.Context) (int, error) { return 7, broken })
	if value != 7 || !errors.Is(err, broken) {
		t.Errorf("got %d and %v, want 7 and %v", value, err, broken)
	}
}

func TestCallPassesItsContext(t *testing.T) {
	type key struct{}
	ctx := context.WithValue(t.Context(), key{}, "here")
	value, err := bound.Call(ctx, func(ctx context.Context) (any, error) { return ctx.Value(key{}), nil })
	if value != "here" || err != nil {
		t.Errorf("got %v and %v", value, err)
	}
}

func TestCallLeavesAFunctionThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		slow := errors.New("too slow")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, slow)
		defer cancel()
		began := time.Now()
		value, err := bound.Call(ctx, func(context.Context) (string, error) {
			<-release // as the kernel would: no context interrupts it
			return "late", nil
		})
		if value != "" || !errors.Is(err, slow) {
			t.Errorf("got %q and %v, want nothing and %v", value, err, slow)
		}
		if took := time.Since(began); took != time.Second {
			t.Errorf("it took %v", took)
		}
		close(release) // the abandoned call ends, or synctest reports a deadlock
	})
}

func TestCallTurnsAPanicIntoAnError(t *testing.T) {
	value, err := bound.Call(t.Context(), func(context.Context) (int, error) {
		var none []int
		return none[3], nil
	})
	if err == nil || !strings.Contains(err.Error(), "panic: runtime error: index out of range [3]") || value != 0 {
		t.Errorf("got %d and %v", value, err)
	}
}

// ended is a context that turns out to have ended when the function has, too.
type ended struct{ context.Context }

func (ended) Done() <-chan struct{} {
	synctest.Wait() // until the function's goroutine has left its result and is gone
	closed := make(chan struct{})
	close(closed)
	return closed
}

func TestCallPrefersAResultToTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range 50 { // select chooses at random between what is ready
			value, err := bound.Call(ended{t.Context()}, func(context.Context) (int, error) { return 7, nil })
			if value != 7 || err != nil {
				t.Fatalf("got %d and %v", value, err)
			}
		}
	})
}

func TestDo(t *testing.T) {
	broken := errors.New("broken")
	if err := bound.Do(t.Context(), func(context.Context) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	release := make(chan struct{})
	defer close(release)
	cancel(broken)
	err := bound.Do(ctx, func(context.Context) error { <-release; return nil })
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}
