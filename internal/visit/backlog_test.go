package visit_test

import (
	"context"
	"runtime"
	"runtime/debug"
	"sync"
	"testing"

	"muster/internal/report"
	"muster/internal/visit"
)

// counter keeps nothing but where it is. It is a visit.Logs.
type counter struct {
	t      *testing.T
	cursor report.Cursor
	count  int64
	peak   uint64 // bytes of the heap while a part is kept
}

func (c *counter) Requests() []report.LogRequest {
	return []report.LogRequest{{Channel: authLog, Raw: true, Since: report.SinceAll, Cursor: c.cursor, Fresh: 7 + c.cursor.Epoch}}
}

func (c *counter) Keep(_ context.Context, p *visit.Part) error {
	for i := range p.Answers[0].Records {
		if c.count++; p.Answers[0].Records[i].ID != c.count {
			c.t.Errorf("record %d comes where %d is due", p.Answers[0].Records[i].ID, c.count)
		}
	}
	c.cursor = p.Answers[0].Next
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	c.peak = max(c.peak, m.HeapAlloc)
	return nil
}

func (c *counter) Continue() (func(), bool) { return func() {}, true }

// TestAMillionOldRecords has a host with a million records, which one visit reads while others are made, and looks at the
// memory of both sides together. The records alone are some hundred megabytes.
func TestAMillionOldRecords(t *testing.T) {
	length, most := int64(1_000_000), uint64(32<<20)
	if testing.Short() {
		length = 50_000
	}
	defer debug.SetGCPercent(debug.SetGCPercent(50))
	log := &hostLog{length: length}
	f := newFake(t, nil)
	f.becomes(log.client())
	host := f.host(t)
	logs := &counter{t: t}
	host.Logs = logs
	host.Deadlines.Visit = 0
	visitor := f.visitor()

	others := newFake(t, nil)
	others.becomes(reporting(nil))
	done := make(chan struct{})
	var visiting sync.WaitGroup
	visited := 0
	visiting.Go(func() {
		for other := others.host(t); ; visited++ {
			select {
			case <-done:
				return
			default:
				wantReport(t, visitor.Visit(t.Context(), other, sweep))
			}
		}
	})
	v := visitor.Visit(t.Context(), host, sweep)
	close(done)
	visiting.Wait()
	wantLogs(t, v, authLog, float64(length), 0, 0)
	if logs.count != length {
		t.Errorf("%d records came, want %d", logs.count, length)
	}
	if logs.peak > most {
		t.Errorf("the heap had %d MiB, want at most %d", logs.peak>>20, most>>20)
	}
	t.Logf("%d records in %v and %d parts, of %d bytes on the wire; the heap had at most %d MiB; %d other visits were made meanwhile",
		length, v.Took, len(log.requests()), v.Received, logs.peak>>20, visited)
}
