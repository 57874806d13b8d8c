package visit_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"muster/internal/failure"
	"muster/internal/visit"
)

// A visit that breaks down at any of its last steps, with all that follows, is a failed one: the clock, which each of them
// reads, is what breaks here.
func TestPanicFailsTheVisitAlone(t *testing.T) {
	f := newFake(t, nil)
	f.becomes(reporting(nil))
	var calls, sound atomic.Int64
	sound.Store(1 << 30)
	log, logged := memoryLog()
	visitor := visit.New(visit.Options{Clients: f.clients, Logger: log, Now: func() time.Time {
		if calls.Add(1) > sound.Load() {
			panic("the clock broke")
		}
		return time.Now()
	}})
	wantReport(t, visitor.Visit(t.Context(), f.host(t), sweep))
	calls.Store(0)
	wantReport(t, visitor.Visit(t.Context(), f.host(t), sweep))
	needed := calls.Load()
	for left := int64(1); left <= 5; left++ { // from its end to where its report is opened
		calls.Store(0)
		sound.Store(needed - left)
		v := visitor.Visit(t.Context(), f.host(t), sweep)
		if v.Failure == nil || v.Report != nil || v.Failure.Kind != failure.Internal || v.Failure.Host != v.Host {
			t.Fatalf("%d steps before the end: got %+v", left, v)
		}
		if !strings.Contains(v.Failure.Error(), "the clock broke") || !strings.Contains(logged(), "this is a defect of muster") {
			t.Errorf("%d steps before the end: %v", left, v.Failure)
		}
		f.wantNothingLeft(t)
		sound.Store(1 << 30)
		wantReport(t, visitor.Visit(t.Context(), f.host(t), sweep)) // the next visit knows nothing of it
		calls.Store(0)
		wantReport(t, visitor.Visit(t.Context(), f.host(t), sweep))
		needed = calls.Load()
	}
}
