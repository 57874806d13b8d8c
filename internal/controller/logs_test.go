package controller

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"muster/internal/config"
	"muster/internal/cursors"
	"muster/internal/entry"
	"muster/internal/queue"
	"muster/internal/report"
	"muster/internal/visit"
)

// shelfTable is a table in memory.
type shelfTable struct {
	mu      sync.Mutex
	content map[string][]byte
	full    error // of every write
}

func newShelfTable() *shelfTable { return &shelfTable{content: make(map[string][]byte)} }

func (s *shelfTable) All(context.Context) (map[string][]byte, error) { return s.content, nil }

func (s *shelfTable) Put(_ context.Context, key string, value []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.full == nil {
		s.content[key] = value
	}
	return s.full
}

func (s *shelfTable) Delete(_ context.Context, key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.content, key)
	return s.full
}

// logQueue takes entries of log records up to a size.
type logQueue struct {
	most int // bytes; 0: any
	full error

	mu  sync.Mutex
	put []entry.Logs
}

func (q *logQueue) Put(_ context.Context, entries ...queue.Entry) error {
	for _, e := range entries {
		if q.full != nil {
			return q.full
		}
		if q.most > 0 && len(e.Data) > q.most {
			return fmt.Errorf("%w: %d bytes", queue.ErrTooLarge, len(e.Data))
		}
		l, err := entry.DecodeLogs(e.Data)
		if err != nil {
			return err
		}
		q.mu.Lock()
		q.put = append(q.put, *l)
		q.mu.Unlock()
	}
	return nil
}

// book is a logbook of its own, and what it logs.
type book struct {
	*logbook
	table *shelfTable
	queue *logQueue
	used  float64
	text  bytes.Buffer
}

func newBook(t *testing.T) *book {
	t.Helper()
	b := &book{table: newShelfTable(), queue: new(logQueue)}
	c, err := cursors.New(t.Context(), b.table, nil)
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(&b.text, nil))
	b.logbook = newLogbook(log, newMirror(log, c), &keeper{b.queue}, func() float64 { return b.used }, 256)
	return b
}

// begin has the logs of hosts begin as such that were never read.
func (b *book) begin(t *testing.T, hosts ...config.Host) {
	t.Helper()
	for i := range hosts {
		for _, l := range hosts[i].Logs {
			if _, err := b.cursors.TakeUp(hosts[i].Name, []string{l.Channel}, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// first returns the logs of a host that were never read.
func (b *book) first(t *testing.T, host *config.Host, way ...*gate) visit.Logs {
	t.Helper()
	b.begin(t, *host)
	return b.of(host, way...)
}

// logged returns what was logged since the last call.
func (b *book) logged() string {
	defer b.text.Reset()
	return b.text.String()
}

func loggedHost(channels ...string) *config.Host {
	h := &config.Host{Name: "web1", Groups: []string{"web", "front"}}
	for _, c := range channels {
		h.Logs = append(h.Logs, config.Logs{Channel: c, Raw: true, Since: time.Hour})
	}
	return h
}

// brought is a part with answers.
func brought(answers ...report.Logs) *visit.Part {
	return &visit.Part{Visit: "v1", Number: 3, Sweep: time.Unix(60, 0).UTC(), Host: "web1", Read: time.Unix(70, 0).UTC(), Answers: answers}
}

// records returns an answer with records of an epoch.
func records(channel string, epoch, first, last int64) report.Logs {
	l := report.Logs{Channel: channel, Epoch: epoch, Next: report.Cursor{Epoch: epoch, Record: last, Position: "p"}}
	for id := first; id <= last; id++ {
		l.Records = append(l.Records, report.Record{ID: id, Time: time.Unix(id, 0).UTC(), Message: strings.Repeat("m", 100)})
	}
	return l
}

func TestWhatAPartBringsIsKeptBeforeTheCursorMoves(t *testing.T) {
	b := newBook(t)
	logs := b.first(t, loggedHost("Security", "System", "denied"))
	asked := logs.Requests()
	if len(asked) != 3 || asked[0].Channel != "Security" || !asked[0].Raw || asked[0].Since != time.Hour || asked[0].Fresh == 0 {
		t.Fatalf("it asks for %+v", asked)
	}
	first := records("Security", asked[0].Fresh, 1, 3)
	first.Begun, first.Why = "id 1", "first reading"
	denied := report.Logs{Channel: "denied", Trouble: &report.Trouble{Kind: report.TroubleDenied, Text: "access is denied"}}
	quiet := report.Logs{Channel: "System", Next: report.Cursor{}}

	b.queue.full = queue.ErrFull
	if err := logs.Keep(t.Context(), brought(first, quiet, denied)); !errors.Is(err, queue.ErrFull) {
		t.Fatalf("Keep: %v", err)
	}
	again := logs.Requests()
	if (again[0].Cursor != report.Cursor{}) || again[0].Begun.Identity != "id 1" || b.records.Load() != 0 {
		t.Fatalf("what is not kept is not asked for again: %+v", again[0])
	}
	b.queue.full = nil
	if err := logs.Keep(t.Context(), brought(first, quiet, denied)); err != nil {
		t.Fatal(err)
	}
	if got := logs.Requests()[0]; got.Cursor != first.Next || got.Begun.Identity != "" {
		t.Errorf("it goes on with %+v", got)
	}
	if n := len(b.queue.put); n != 1 {
		t.Fatalf("%d entries are kept", n)
	}
	got := b.queue.put[0]
	if got.Visit != "v1" || got.Part != 3 || got.Host != "web1" || got.Groups != "web/front" || !got.Sweep.Equal(time.Unix(60, 0)) ||
		!got.Read.Equal(time.Unix(70, 0)) || len(got.Channels) != 1 || got.Channels[0].Channel != "Security" || len(got.Channels[0].Records) != 3 {
		t.Errorf("kept is %+v", got)
	}
	if b.records.Load() != 3 {
		t.Errorf("%d records are counted", b.records.Load())
	}
	if log := b.logged(); !strings.Contains(log, `level=INFO msg="an epoch of a log began`) || !strings.Contains(log, "Event Log Readers") ||
		strings.Count(log, "can't be read") != 1 {
		t.Errorf("it logs\n%s", log)
	}

	// Nothing new is no entry. A trouble that lasts is no news; that it is over, is.
	if err := logs.Keep(t.Context(), brought(records("Security", first.Epoch, 4, 3), denied)); err != nil || len(b.queue.put) != 1 || b.logged() != "" {
		t.Errorf("Keep: %v, %d entries", err, len(b.queue.put))
	}
	cleared := records("Security", first.Epoch+1, 1, 1)
	cleared.Begun, cleared.Why = "id 2", "the log was cleared"
	cleared.Gaps = []report.Gap{{Epoch: first.Epoch, First: 4, Last: 9, Reason: "cleared away"}}
	if err := logs.Keep(t.Context(), brought(cleared, records("denied", 5, 1, 1))); err != nil {
		t.Fatal(err)
	}
	log := b.logged()
	for _, want := range []string{
		"level=WARN msg=\"an epoch of a log began", `why="the log was cleared"`, "host=web1", "channel=Security",
		"gone before they were read", "first=4 last=9", `why="cleared away"`, "a log can be read again",
	} {
		if !strings.Contains(log, want) {
			t.Errorf("there is no %q in\n%s", want, log)
		}
	}
	if got := b.queue.put[1].Channels[0].Gaps; len(got) != 1 {
		t.Errorf("gaps: %+v", got)
	}
}

// A host that tells of gaps without end fills the database with them, as it could with records, but not the log.
func TestGapsWithoutEndAreLoggedInFewLines(t *testing.T) {
	b := newBook(t)
	l := records("journal", 5, 1, 1)
	for i := range int64(report.MaxGaps) {
		l.Gaps = append(l.Gaps, report.Gap{Epoch: 5, First: 2*i + 2, Reason: strings.Repeat("x", 200)})
	}
	if err := b.first(t, loggedHost("journal")).Keep(t.Context(), brought(l)); err != nil {
		t.Fatal(err)
	}
	if log := b.logged(); strings.Count(log, "gone before they were read") != toldGaps+1 || !strings.Contains(log, "gaps=95") {
		t.Errorf("it logs\n%s", log)
	}
	if kept := b.queue.put[0].Channels[0].Gaps; len(kept) != report.MaxGaps {
		t.Errorf("%d gaps are kept", len(kept))
	}
}

func TestAnEpochThatIsNotReservedIsNotPut(t *testing.T) {
	b := newBook(t)
	logs := b.first(t, loggedHost("x"))
	begun := records("x", 9, 1, 1)
	begun.Begun = "id"
	b.table.full = queue.ErrUnavailable
	if err := logs.Keep(t.Context(), brought(begun)); !errors.Is(err, queue.ErrUnavailable) || len(b.queue.put) != 0 {
		t.Errorf("Keep: %v, %d entries", err, len(b.queue.put))
	}
}

// TestACursorThatIsNotOnDisk loses nothing, but no more is put until it is.
func TestACursorThatIsNotOnDisk(t *testing.T) {
	b := newBook(t)
	logs := b.first(t, loggedHost("x"))
	b.table.full = queue.ErrUnavailable
	for i, wanted := range []error{nil, queue.ErrUnavailable} {
		err := logs.Keep(t.Context(), brought(records("x", 9, int64(i+1), int64(i+1))))
		if !errors.Is(err, wanted) || len(b.queue.put) != 1 || strings.Contains(b.logged(), "not on disk") != (i == 0) {
			t.Errorf("Keep: %v, %d entries", err, len(b.queue.put))
		}
	}
	b.table.full = nil
	if err := logs.Keep(t.Context(), brought(records("x", 9, 2, 2))); err != nil || len(b.queue.put) != 2 {
		t.Errorf("Keep: %v, %d entries", err, len(b.queue.put))
	}
}

// TestWhatIsTooLargeGoesInHalves has a queue whose servers take little.
func TestWhatIsTooLargeGoesInHalves(t *testing.T) {
	b := newBook(t)
	b.queue.most = 2000
	one, two := records("a", 5, 1, 30), records("b", 6, 1, 41)
	one.Gaps = []report.Gap{{Epoch: 5, First: 1, Last: 1, Reason: "x"}}
	if err := b.first(t, loggedHost("a", "b")).Keep(t.Context(), brought(one, two)); err != nil {
		t.Fatal(err)
	}
	got := map[string][]int64{}
	gaps := 0
	for i, l := range b.queue.put {
		for _, c := range l.Channels {
			for _, r := range c.Records {
				got[c.Channel] = append(got[c.Channel], r.ID)
			}
			gaps += len(c.Gaps)
			// A cursor that is stored has all records before it stored.
			if want := map[string]int64{"a": 30, "b": 41}[c.Channel]; c.Next.Record != 0 && int64(len(got[c.Channel])) != want {
				t.Errorf("entry %d has the cursor of %s after %d records", i, c.Channel, len(got[c.Channel]))
			}
		}
	}
	if len(got["a"]) != 30 || len(got["b"]) != 41 || !slices.IsSorted(got["a"]) || !slices.IsSorted(got["b"]) || gaps != 1 {
		t.Errorf("kept are %v, and %d gaps", got, gaps)
	}
	if len(b.queue.put) < 3 {
		t.Errorf("in %d entries", len(b.queue.put))
	}
	b.queue.most = 10
	if err := b.first(t, loggedHost("a")).Keep(t.Context(), brought(records("a", 5, 31, 31))); !errors.Is(err, queue.ErrTooLarge) {
		t.Errorf("a single record that is too large: %v", err)
	}
}

func TestLogsWaitWhileTheQueueFillsUp(t *testing.T) {
	b := newBook(t)
	logs := b.first(t, loggedHost("x"))
	for i, step := range []struct {
		used  float64
		asked int
		said  string
	}{{75, 1, ""}, {75.1, 0, "filling up"}, {99, 0, ""}, {71, 0, ""}, {69, 1, "read again"}, {74, 1, ""}} {
		b.used = step.used
		asked := len(logs.Requests())
		said := b.logged()
		if asked != step.asked || (said != "") != (step.said != "") || !strings.Contains(said, step.said) {
			t.Errorf("step %d: %d channels are asked for, and it says %q", i, asked, said)
		}
	}
}

// TestNobodyWaitsForAVisitThatGoesOn where there is one place alone, or one jump host.
func TestNobodyWaitsForAVisitThatGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBook(t)
		g := newGate(1)
		logs := b.first(t, loggedHost("x"), g)
		g.enter(t.Context())
		release, ok := logs.Continue()
		if !ok {
			t.Fatal("nobody waits, and it may not go on")
		}
		release()
		ctx, cancel := context.WithCancel(t.Context())
		var waiting sync.WaitGroup
		waiting.Go(func() { g.enter(ctx) })
		synctest.Wait()
		if _, ok := logs.Continue(); ok {
			t.Error("it goes on while another host waits")
		}
		cancel()
		waiting.Wait()
		if b.places.taken != 0 {
			t.Errorf("%d places are taken", b.places.taken)
		}
	})
}

func TestWhoHasLogs(t *testing.T) {
	b := newBook(t)
	if b.of(loggedHost()) != nil || (*logbook)(nil).of(loggedHost("x")) != nil {
		t.Error("a host without logs has some")
	}
	now := time.Now()
	if got := furtherFor(now.Add(-10*time.Second), now, time.Minute); got != 42500*time.Millisecond {
		t.Errorf("it may go on for %v", got)
	}
	if got := furtherFor(now.Add(-time.Hour), now, time.Minute); got != time.Nanosecond {
		t.Errorf("a late one may go on for %v", got)
	}
}
