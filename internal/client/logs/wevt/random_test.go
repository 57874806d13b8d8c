package wevt_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"muster/internal/client/logs/wevt"
	"muster/internal/report"
)

// TestRandomLogs lets things happen to a log (writing, rotation, clearing, failures, also while it is read; between two
// readings it is made anew, too), with answers of which some are lost on the way to the server, or kept by half, and then
// balances the books: see balance.
func TestRandomLogs(t *testing.T) {
	for seed := range uint64(100) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			f := filters[random.IntN(len(filters))]
			switch random.IntN(6) {
			case 0:
				f = report.Filter{XPath: "*[System[Level=1]]"}
			case 1, 2:
				f = report.Filter{}
			}
			l := &fakeLog{
				t: t, leaks: random.IntN(2) == 0, boundary: random.IntN(2) == 0, odd: random.IntN(4) == 0,
				xpath: func(r *report.Record) bool { return r.ID%3 != 0 },
			}
			if random.IntN(3) == 0 {
				l.most = 1 + random.IntN(100)
			}
			b := newBooks(l, newServer(f), random)
			if random.IntN(3) == 0 {
				b.request.Since = []time.Duration{0, time.Second, time.Hour}[random.IntN(3)]
			}
			b.run(t)
		})
	}
}

// happen does something to the log.
func (b *books) happen() {
	switch b.random.IntN(8) {
	case 0:
		b.clear()
	case 1, 2:
		b.rotateSome()
	case 3:
		b.stale++
	default:
		n := b.random.IntN(150)
		if b.random.IntN(300) == 0 {
			n = 10500
		}
		b.writeSome(n)
	}
}

// happenBetween does what does not happen while a log is read, too.
func (b *books) happenBetween() {
	if b.random.IntN(5) == 0 {
		b.stale++
		b.fakeLog.records = nil
		b.log, b.next = b.log+1, 0
	}
	b.happen()
}

// clear removes all records; the ids go on.
func (b *books) clear() {
	if b.mayLose(b.next + 1) {
		b.stale++
		b.fakeLog.records = slices.Clone(b.fakeLog.records[:0])
	}
}

func (b *books) rotateSome() {
	keep := b.random.IntN(len(b.fakeLog.records) + 1)
	oldest := b.next + 1
	if keep > 0 {
		oldest = b.fakeLog.records[len(b.fakeLog.records)-keep].ID
	}
	if b.mayLose(oldest) {
		b.rotate(keep)
	}
}

// mayLose reports whether the oldest record of the log may be this one. Where records were rotated away beyond all that was
// read, nobody can tell a log that was made anew from the one that was read.
func (b *books) mayLose(oldest int64) bool {
	if _, known := b.from[b.log]; known || len(b.epochs) == 0 {
		return true
	}
	read := b.request.Cursor.Record
	if id := begunID(b.begun); id > 0 && b.begun.Number > b.request.Cursor.Epoch {
		read = id
	}
	return oldest <= read
}

func (b *books) writeSome(n int) {
	_, known := b.from[b.log]
	for range n {
		b.next++
		b.add(b.next, now.Add(-time.Minute), len(b.all))
		r := &b.fakeLog.records[len(b.fakeLog.records)-1]
		// Where the one record can't be rendered by which the log is known, a new one can't be told from it.
		mark := b.next == b.request.Cursor.Record || b.next == begunID(b.begun)
		r.broken = b.random.IntN(300) == 0 && (known || !mark)
		f := &b.request.Filter
		wanted := !r.broken && f.Match(&r.Record) && (f.XPath == "" || b.xpath(&r.Record))
		b.all = append(b.all, written{b.log, b.next, wanted})
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
	if b.random.IntN(2) == 0 {
		b.happen()
	}
	for range 30 {
		b.step(t)
		b.happenBetween()
	}
	quiet = true
	b.most = 0
	for range 3 {
		for more := true; more; {
			more = b.read(t, 2000, moved)
		}
		b.happen()
		b.writeSome(1) // what is gone is known when there is a record
	}
	for more := true; more; {
		more = b.read(t, 2000, moved)
	}
	b.balance(t)
}

// step reads once. The process of the server may end between any two of the steps that follow.
func (b *books) step(t *testing.T) {
	b.read(t, 1+b.random.IntN(200), []fate{lost, reserved, put, moved, moved}[b.random.IntN(5)])
}

// fate is how far an answer came.
type fate int

const (
	lost fate = iota
	reserved
	put
	moved
)

func (b *books) read(t *testing.T, records int, f fate) (more bool) {
	q := b.query(records)
	a := wevt.Read(t.Context(), b.fakeLog, q)
	if b.open != 0 {
		t.Fatalf("%d handles are left open", b.open)
	}
	checkAnswer(t, b.server, &a, records)
	if f >= reserved {
		b.bind(t, &a)
		b.reserve(&a)
	}
	if f >= put {
		b.put(t, &a, f == put)
	}
	if f == moved {
		b.request.Cursor = a.Next
	}
	return a.More
}
