package wevt_test

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"muster/internal/report"
)

// books are what was written to a log and what came of it.
type books struct {
	*fakeLog
	*server
	random *rand.Rand

	all  []written // all that was ever written; a record's time says which of them it is
	log  int       // which log it is: one that was made anew is another
	next int64     // the id that was given last

	kept   map[int]int64 // of what was kept: its epoch
	half   map[int]bool  // what came in answers whose cursor was lost
	ids    map[idOf]int  // what was kept under an id
	epochs map[int64]int // of which log an epoch is
	from   map[int]int64 // of logs that were read: the id from which on everything is to come
}

type written struct {
	log    int
	id     int64
	wanted bool
}

type idOf struct{ epoch, id int64 }

func newBooks(l *fakeLog, s *server, random *rand.Rand) *books {
	return &books{
		fakeLog: l, server: s, random: random,
		kept: map[int]int64{}, half: map[int]bool{}, ids: map[idOf]int{}, epochs: map[int64]int{}, from: map[int]int64{},
	}
}

// number returns which of all that was written a record is.
func number(r *report.Record) int {
	return int(r.Time.Sub(now.Add(-time.Minute)) / time.Microsecond)
}

// begunID is the id of the last record that an epoch began with.
func begunID(e report.Epoch) int64 {
	id, _, _ := strings.Cut(e.Identity, " ")
	n, _ := strconv.ParseInt(id, 10, 64)
	return n
}

// bind notes of which log an epoch is that is written down, and what of the log is to come.
func (b *books) bind(t *testing.T, a *report.Logs) {
	t.Helper()
	if a.Next.Record == 0 || a.Next == b.request.Cursor {
		return // nothing was read
	}
	if log, ok := b.epochs[a.Epoch]; ok && log != b.log {
		t.Fatalf("epoch %d is of the logs %d and %d", a.Epoch, log, b.log)
	}
	first := len(b.epochs) == 0
	b.epochs[a.Epoch] = b.log
	if _, ok := b.from[b.log]; ok {
		return
	}
	b.from[b.log] = 1
	if !first {
		return
	}
	oldest := a.Next.Record + 1
	if len(b.fakeLog.records) > 0 {
		oldest = b.fakeLog.records[0].ID
	}
	b.from[b.log] = oldest
	if words := strings.Fields(a.Begun); len(words) > 2 { // the reader knows what it found
		b.from[b.log], _ = strconv.ParseInt(words[2], 10, 64)
	}
	if all := b.request.Since < 0 || b.request.Cursor.Epoch > 0 || b.begun.Number > 0; all && b.from[b.log] > oldest {
		t.Fatalf("the first reading began with record %d, and %d is there", b.from[b.log], oldest)
	}
}

// put keeps what an answer brings, as the database does: under each id what came first.
func (b *books) put(t *testing.T, a *report.Logs, half bool) {
	t.Helper()
	for i := range a.Records {
		n := number(&a.Records[i])
		id := idOf{a.Epoch, a.Records[i].ID}
		if other, ok := b.ids[id]; ok && other != n {
			t.Fatalf("%+v is dropped: under %+v there is %+v", b.all[n], id, b.all[other])
		}
		if epoch, ok := b.kept[n]; ok && epoch != a.Epoch {
			t.Fatalf("%+v came in the epochs %d and %d", b.all[n], epoch, a.Epoch)
		}
		if !b.all[n].wanted {
			t.Fatalf("%+v was not wanted", b.all[n])
		}
		b.ids[id], b.kept[n], b.half[n] = n, a.Epoch, b.half[n] || half
	}
	b.gaps = append(b.gaps, a.Gaps...)
}

// balance checks that each record that was wanted, of a log of which anything was read, came once, or lies in a gap of one of
// that log's epochs, which the last log has only where records are gone.
func (b *books) balance(t *testing.T) {
	t.Helper()
	for n, w := range b.all {
		_, came := b.kept[n]
		from, read := b.from[w.log]
		if came || !w.wanted || !read || w.id < from {
			continue
		}
		if !slices.ContainsFunc(b.gaps, func(g report.Gap) bool { return b.has(&g, w) }) {
			t.Fatalf("%+v did not come, and is in no gap: epochs %v, read from %v, %+v", w, b.epochs, b.from, b.gaps)
		}
	}
	for _, r := range b.fakeLog.records {
		n := number(&r.Record)
		if from, read := b.from[b.log]; b.all[n].wanted && b.kept[n] == 0 && (!read || r.ID >= from) {
			t.Fatalf("%+v is still there, and did not come: %+v", b.all[n], b.gaps)
		}
	}
	b.checkGaps(t)
}

func (b *books) has(g *report.Gap, w written) bool {
	return b.epochs[g.Epoch] == w.log && g.First <= w.id && (w.id <= g.Last || g.Last == 0)
}

// checkGaps checks that what is said to be gone did not come, where it is said for certain, and was written at all.
func (b *books) checkGaps(t *testing.T) {
	t.Helper()
	last := map[int]int64{}
	for _, w := range b.all {
		last[w.log] = w.id
	}
	for _, g := range b.gaps {
		log, ok := b.epochs[g.Epoch]
		if !ok || g.Last > last[log] || g.Last == 0 && log == b.log {
			t.Fatalf("the gap %+v, of log %d, which had %d records", g, log, last[log])
		}
		if !g.Possible && !b.request.Filter.IsZero() {
			t.Fatalf("the gap %+v is told for certain", g)
		}
		for n, w := range b.all {
			if !g.Possible && b.kept[n] > 0 && !b.half[n] && b.has(&g, w) {
				t.Fatalf("the gap %+v has %+v, which came", g, w)
			}
		}
	}
}
