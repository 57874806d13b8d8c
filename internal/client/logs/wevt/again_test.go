package wevt_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"muster/internal/client/logs/wevt"
	"muster/internal/report"
)

// crash reads once, and the process of the server ends after it has written down which epoch began: whether the answer was
// kept nobody knows.
func (s *server) crash(t *testing.T, l *fakeLog, records int) report.Logs {
	t.Helper()
	a := wevt.Read(t.Context(), l, s.query(records))
	checkAnswer(t, s, &a, records)
	s.reserve(&a)
	return a
}

// anew makes another log, of records with ids from one to another; the nonce tells them from those of other logs.
func (l *fakeLog) anew(nonce int, first, last int64) {
	l.records = nil
	for id := first; id <= last; id++ {
		l.add(id, now.Add(-time.Minute), nonce)
	}
}

func wantEpoch(t *testing.T, a *report.Logs, epoch int64, records []int64) {
	t.Helper()
	if a.Epoch != epoch || a.Trouble != nil {
		t.Fatalf("epoch %d, want %d; trouble %+v", a.Epoch, epoch, a.Trouble)
	}
	wantIDs(t, a.Records, records)
}

// What comes into an empty log is read from its first record on, although only what is new is wanted of a log; and it comes
// under an epoch of its own, since the log may be another one at the next reading.
func TestAnEmptyLog(t *testing.T) {
	for _, moved := range []bool{true, false} {
		l := &fakeLog{t: t}
		s := newServer(report.Filter{})
		s.request.Since = 0
		a := s.crash(t, l, 10)
		if a.Epoch != 1 || a.Next != (report.Cursor{Epoch: 1}) || a.Why != "first reading" {
			t.Fatalf("%+v", a)
		}
		if b := s.crash(t, l, 10); b.Epoch != 1 || b.Next != a.Next || b.Begun != a.Begun {
			t.Fatalf("%+v after %+v", b, a)
		}
		if moved {
			s.keep(&a)
		}
		l.write(3)
		b := s.crash(t, l, 10)
		wantEpoch(t, &b, 2, span(1, 3))
		b = s.crash(t, l, 10)
		wantEpoch(t, &b, 2, span(1, 3))
		l.anew(7, 1, 5)
		b = s.crash(t, l, 10)
		wantEpoch(t, &b, 3, span(1, 5))
		s.keep(&b)
		wantGaps(t, s, report.Gap{Epoch: 2, First: 1, Possible: true})
		l.records = nil
		if a := s.read(t, l, 10); a.Next.Record != 5 || a.Begun != "" || a.Trouble != nil {
			t.Errorf("the log is empty again: %+v", a)
		}
	}
}

// The ids of a log that was cleared go on: what was before the first record nobody was promised.
func TestAnEmptyLogWhoseIDsGoOn(t *testing.T) {
	l := &fakeLog{t: t}
	s := newServer(report.Filter{})
	s.read(t, l, 10)
	l.anew(0, 4000, 4001)
	s.readAll(t, l, 10)
	wantIDs(t, s.records[2], span(4000, 4001))
	wantGaps(t, s)
	if a := s.read(t, l, 10); a.Begun != "" {
		t.Errorf("%+v", a)
	}
}

// An answer is perhaps kept, and the cursor is not: the same records come again under the same ids, and no others with them,
// also when the time from which on they are wanted has gone on.
func TestAnAnswerThatWasHalfKept(t *testing.T) {
	l := &fakeLog{t: t}
	l.write(20)
	s := newServer(report.Filter{})
	first := s.crash(t, l, 8)
	s.request.Since = 0
	again := s.crash(t, l, 100)
	wantEpoch(t, &again, 1, span(1, 8))
	if again.Begun != first.Begun || again.Next != first.Next || !again.More || len(again.Gaps) > 0 {
		t.Errorf("%+v after %+v", again, first)
	}
	s.keep(&again)
	s.readAll(t, l, 100)
	wantIDs(t, s.records[1], span(1, 20))
	wantGaps(t, s)
}

func TestAnAnswerThatWasHalfKeptAndIsRotatedAway(t *testing.T) {
	for _, test := range []struct {
		name string
		keep int
		want []int64
		gaps []report.Gap
	}{
		{"in part", 16, span(5, 20), []report.Gap{{Epoch: 1, First: 1, Last: 4, Possible: true}}},
		{"as a whole", 12, span(9, 20), []report.Gap{{Epoch: 1, First: 1, Last: 8, Possible: true}}},
		{"and more", 10, span(11, 20), []report.Gap{{Epoch: 1, First: 1, Last: 8, Possible: true}, {Epoch: 1, First: 9, Last: 10}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := &fakeLog{t: t}
			l.write(20)
			s := newServer(report.Filter{})
			s.crash(t, l, 8)
			l.rotate(test.keep)
			s.readAll(t, l, 100)
			wantIDs(t, s.records[1], test.want)
			wantGaps(t, s, test.gaps...)
		})
	}
}

// An answer that brought nothing, since only what is new is wanted, is begun again where it ended.
func TestAnAnswerWithoutRecordsThatWasHalfKept(t *testing.T) {
	l := &fakeLog{t: t}
	l.write(10)
	s := newServer(report.Filter{})
	s.request.Since = 0
	s.crash(t, l, 10)
	l.write(5)
	s.readAll(t, l, 10)
	wantIDs(t, s.records[1], span(11, 15))
	wantGaps(t, s)
}

// An answer that is read again ends where it did, also where Windows selects and finds only what follows, and where the log
// rotates meanwhile.
func TestAnAnswerThatWasHalfKeptAndSelected(t *testing.T) {
	for _, f := range []report.Filter{{XPath: "*[System[Level=1]]"}, {Providers: []string{"source1"}}, {}} {
		l := &fakeLog{t: t, xpath: func(r *report.Record) bool { return r.ID%2 == 1 }}
		l.write(20)
		s := newServer(f)
		want := wevt.Read(t.Context(), l, s.query(100))
		s.crash(t, l, 100)
		l.write(10)
		again := s.crash(t, l, 100)
		wantEpoch(t, &again, 1, ids(want.Records))
		if again.Next != want.Next || !again.More {
			t.Errorf("%+v: next %+v, more %v", f, again.Next, again.More)
		}
		reads := 0
		l.after = func(call string) {
			if call == "next" {
				if reads++; reads == 3 { // where to begin is known by then
					l.rotate(5)
				}
			}
		}
		again = s.crash(t, l, 100)
		l.after = nil
		s.keep(&again)
		s.readAll(t, l, 100)
		for _, id := range span(1, 30) {
			came := slices.ContainsFunc(s.records[1], func(r report.Record) bool { return r.ID == id })
			gone := slices.ContainsFunc(s.gaps, func(g report.Gap) bool { return g.First <= id && id <= g.Last })
			if wanted := f.IsZero() || id%2 == 1; wanted && !came && !gone || came && !wanted {
				t.Errorf("%+v: record %d came %v, gaps %+v", f, id, came, s.gaps)
			}
		}
	}
}

// The log of an answer that was perhaps kept is gone: so is what came after it, which is told until an answer is kept, through
// as many logs as there were. Each has another epoch and is read from its beginning, whatever was wanted at first.
func TestLogsThatAreGoneBeforeTheyAreKept(t *testing.T) {
	for _, since := range []time.Duration{0, time.Hour, report.SinceAll} {
		l := &fakeLog{t: t}
		s := newServer(report.Filter{})
		s.request.Since = since
		l.write(10)
		first := int64(1)
		if since == 0 {
			first = 11
		}
		s.crash(t, l, 100)
		l.anew(1, 1, 12)
		a := s.crash(t, l, 100)
		wantEpoch(t, &a, 2, span(1, 12))
		l.anew(2, 3, 5)
		a = s.crash(t, l, 100)
		wantEpoch(t, &a, 3, span(3, 5))
		a = s.crash(t, l, 100)
		wantEpoch(t, &a, 3, span(3, 5))
		l.anew(3, 1, 9)
		a = s.crash(t, l, 100)
		wantEpoch(t, &a, 4, span(1, 9))
		a = s.crash(t, l, 100)
		wantEpoch(t, &a, 4, span(1, 9))
		s.keep(&a)
		wantGaps(t, s, report.Gap{Epoch: 1, First: first, Possible: true}, report.Gap{Epoch: 2, First: 1, Possible: true},
			report.Gap{Epoch: 3, First: 1, Possible: true})
		l.write(1)
		s.readAll(t, l, 100)
		if len(s.gaps) != 3 || s.request.Cursor.Epoch != 4 {
			t.Errorf("what was kept is told again: %+v", s.gaps)
		}
	}
}

// There is room in an identity for so many epochs that are lost, whatever their numbers: of more the first are forgotten.
func TestManyLogsThatAreGoneBeforeTheyAreKept(t *testing.T) {
	for _, test := range []struct {
		fresh, id int64
		logs      int
		want      int
	}{
		{1795478400, 1000000, 6, 6},
		{math.MaxInt64 - 100, math.MaxInt64 - 100, 4, 4},
		{math.MaxInt64 - 100, math.MaxInt64 - 100, 60, 4},
	} {
		l := &fakeLog{t: t}
		s := newServer(report.Filter{})
		s.fresh = test.fresh
		var a report.Logs
		for n := range test.logs + 1 {
			l.anew(n, test.id, test.id)
			a = s.crash(t, l, 10)
		}
		told := 0
		for _, g := range a.Gaps {
			if g.Last == 0 {
				told++
			}
		}
		if told < test.want || a.Epoch != test.fresh+int64(test.logs) {
			t.Errorf("%+v: epoch %d, %d gaps: %+v", test, a.Epoch, told, a.Gaps)
		}
	}
}

// The log was made anew, and the answer that said so was perhaps kept. Whatever becomes of that log, the cursor's is not gone on
// with: its record is not to be looked for any more.
func TestALogMadeAnewThatWasHalfKept(t *testing.T) {
	old := report.Gap{Epoch: 1, First: 11, Possible: true}
	for _, test := range []struct {
		name  string
		then  func(l *fakeLog)
		epoch int64
		want  []int64
		gaps  []report.Gap
	}{
		{"nothing", func(*fakeLog) {}, 2, span(1, 5), []report.Gap{old}},
		{"it goes on", func(l *fakeLog) { l.write(10) }, 2, span(1, 15), []report.Gap{old}},
		{"and is rotated beyond the cursor", func(l *fakeLog) { l.write(10); l.rotate(3) }, 2, span(13, 15),
			[]report.Gap{old, {Epoch: 2, First: 1, Last: 5, Possible: true}, {Epoch: 2, First: 6, Last: 12}}},
		{"is cleared", func(l *fakeLog) { l.write(1); l.rotate(1) }, 2, span(6, 6),
			[]report.Gap{old, {Epoch: 2, First: 1, Last: 5, Possible: true}}},
		{"is made anew", func(l *fakeLog) { l.anew(9, 1, 4) }, 3, span(1, 4), []report.Gap{old, {Epoch: 2, First: 1, Possible: true}}},
		{"cannot be rendered", func(l *fakeLog) { l.write(2); l.records[4].broken = true }, 2, span(6, 7),
			[]report.Gap{old, {Epoch: 2, First: 1, Last: 5, Possible: true}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := &fakeLog{t: t}
			s := newServer(report.Filter{})
			l.write(10)
			s.readAll(t, l, 100)
			l.anew(5, 1, 5)
			a := s.crash(t, l, 100)
			wantEpoch(t, &a, 2, span(1, 5))
			test.then(l)
			s.readAll(t, l, 100)
			wantIDs(t, s.records[test.epoch], test.want)
			wantGaps(t, s, test.gaps...)
		})
	}
}

// A log that can't be read, has no record, or none that can be rendered, is not another one.
func TestALogThatCannotBeReadAfterItWasHalfKept(t *testing.T) {
	for name, then := range map[string]func(l *fakeLog){
		"denied":   func(l *fakeLog) { l.fail = func(string) error { return wevt.AccessDenied } },
		"stale":    func(l *fakeLog) { l.fail = func(call string) error { return stale(call) } },
		"empty":    func(l *fakeLog) { l.records = nil },
		"rendered": func(l *fakeLog) { l.records[9].broken = true },
	} {
		t.Run(name, func(t *testing.T) {
			l := &fakeLog{t: t}
			s := newServer(report.Filter{})
			l.write(10)
			s.crash(t, l, 100)
			begun, records := s.begun, slices.Clone(l.records)
			then(l)
			a := s.crash(t, l, 100)
			if a.Next != (report.Cursor{}) || a.Begun != "" || len(a.Gaps) > 0 || (a.Trouble == nil) != (name == "empty") {
				t.Errorf("%+v", a)
			}
			l.fail, l.records = nil, records
			if a = s.crash(t, l, 100); s.begun != begun {
				t.Errorf("%+v", a)
			}
			wantEpoch(t, &a, 1, span(1, 10))
		})
	}
}

func stale(call string) error {
	if call == "next" {
		return wevt.ResultStale
	}
	return nil
}
