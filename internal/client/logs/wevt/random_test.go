package wevt_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"muster/internal/client/logs/wevt"
	"muster/internal/report"
)

// TestRandomLogs lets things happen to a log (writing, rotation, clearing, failures, also while it is read), with answers of
// which some are lost on the way to the server, and then balances the books: of all that was ever written each record that
// was wanted came once, or lies in a gap.
func TestRandomLogs(t *testing.T) {
	for seed := range uint64(60) {
		random := rand.New(rand.NewPCG(seed, 1))
		f := filters[random.IntN(len(filters))]
		l := &fakeLog{
			t: t, leaks: random.IntN(2) == 0, boundary: random.IntN(2) == 0, odd: random.IntN(4) == 0,
			xpath: func(r *report.Record) bool { return r.ID%3 != 0 },
		}
		if random.IntN(6) == 0 {
			f = report.Filter{XPath: "*[System[Level=1]]"}
		}
		if random.IntN(3) == 0 {
			l.most = 1 + random.IntN(100)
		}
		b := &books{fakeLog: l, server: newServer(f), random: random, wanted: map[int64]bool{}, half: map[int64]bool{}}
		b.run(t)
		if t.Failed() {
			t.Fatalf("seed %d, filter %+v", seed, f)
		}
	}
}

// books are what was written to a log and what came of it.
type books struct {
	*fakeLog
	*server
	random *rand.Rand
	wanted map[int64]bool // by id; all that was ever written, whether it is wanted
	half   map[int64]bool // what came in answers whose cursor was lost
	next   int64
}

// happen does something to the log.
func (b *books) happen() {
	switch b.random.IntN(8) {
	case 0:
		b.stale++
		b.fakeLog.records = slices.Clone(b.fakeLog.records[:0]) // cleared
	case 1, 2:
		b.rotate(b.random.IntN(len(b.fakeLog.records) + 1))
	case 3:
		b.stale++
	default:
		n := b.random.IntN(150)
		if b.random.IntN(100) == 0 {
			n = 10500
		}
		for range n {
			b.next++
			b.add(b.next, now.Add(-time.Minute), 0)
			r := &b.fakeLog.records[len(b.fakeLog.records)-1]
			r.broken = b.random.IntN(300) == 0
			f := &b.request.Filter
			b.wanted[b.next] = !r.broken && f.Match(&r.Record) && (f.XPath == "" || b.xpath(&r.Record))
		}
	}
}

func (b *books) run(t *testing.T) {
	quiet := false
	b.after = func(string) {
		if !quiet && b.random.IntN(40) == 0 {
			b.happen()
		}
	}
	b.fail = func(call string) error {
		if !quiet && b.random.IntN(150) == 0 {
			return []error{wevt.ResultStale, wevt.InvalidBound, wevt.ServerUnavailable}[b.random.IntN(3)]
		}
		return nil
	}
	for range 20 {
		b.happen()
		b.step(t)
	}
	quiet = true
	b.most = 0
	b.readAll(t, b.fakeLog, 2000)
	b.happen()
	b.readAll(t, b.fakeLog, 2000)
	b.balance(t)
}

// step reads once; the answer is kept, kept by half, or lost.
func (b *books) step(t *testing.T) {
	records := 1 + b.random.IntN(200)
	q := b.query(records)
	a := wevt.Read(t.Context(), b.fakeLog, q)
	if b.open != 0 {
		t.Fatalf("%d handles are left open", b.open)
	}
	checkAnswer(t, b.server, &a, records)
	fate := b.random.IntN(4)
	if fate == 1 && q.Cursor.Record == 0 && q.Begun.Identity == "empty" {
		fate = 0 // where nothing was read yet, a log that is cleared then can't tell what came and what did not
	}
	switch fate {
	case 0: // lost
	case 1: // the records are kept, and the cursor is not
		b.reserve(&a)
		cursor := b.request.Cursor
		b.keep(&a)
		b.request.Cursor = cursor
		for _, r := range a.Records {
			b.half[r.ID] = true
		}
	default:
		b.reserve(&a)
		b.keep(&a)
	}
}

func (b *books) balance(t *testing.T) {
	t.Helper()
	came := map[int64]int64{} // the epoch of each
	first := int64(0)
	for epoch, records := range b.server.records {
		for _, r := range records {
			if !b.wanted[r.ID] {
				t.Fatalf("record %d was not wanted", r.ID)
			}
			if other, ok := came[r.ID]; ok && other != epoch {
				t.Fatalf("record %d came in the epochs %d and %d", r.ID, other, epoch)
			}
			came[r.ID] = epoch
			if first == 0 || r.ID < first {
				first = r.ID
			}
		}
	}
	inGap := func(id int64) bool {
		return slices.ContainsFunc(b.gaps, func(g report.Gap) bool { return g.First <= id && id <= g.Last })
	}
	for id := first; id <= b.request.Cursor.Record && first > 0; id++ {
		if b.wanted[id] && came[id] == 0 && !inGap(id) {
			t.Fatalf("record %d of %d did not come, and is in no gap: %+v", id, b.next, b.gaps)
		}
	}
	for _, r := range b.fakeLog.records {
		if first > 0 && r.ID > first && b.wanted[r.ID] && came[r.ID] == 0 && !inGap(r.ID) {
			t.Fatalf("record %d is still there, and did not come", r.ID)
		}
	}
	b.checkGaps(t, came)
}

// checkGaps checks that what is said to be gone did not come, where it is said for certain, and was written at all.
func (b *books) checkGaps(t *testing.T, came map[int64]int64) {
	t.Helper()
	for _, g := range b.gaps {
		for id := g.First; id <= g.Last; id++ {
			if _, written := b.wanted[id]; !written || came[id] > 0 && !g.Possible && !b.half[id] {
				t.Fatalf("the gap %+v has record %d, which was written %v and came %v", g, id, written, came[id] > 0)
			}
		}
		if g.Possible == b.request.Filter.IsZero() {
			t.Fatalf("the gap %+v, filter %+v", g, b.request.Filter)
		}
	}
}
