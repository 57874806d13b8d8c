package wevt_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"muster/internal/report"
)

func TestEveryRecordComesOnce(t *testing.T) {
	l := &fakeLog{t: t}
	s := newServer(report.Filter{})
	l.write(200)
	if a := s.read(t, l, 70); a.Why != "first reading" || !a.More || a.Epoch != 1 || len(a.Records) != 70 {
		t.Fatalf("%s, more %v, epoch %d, %d records", a.Why, a.More, a.Epoch, len(a.Records))
	}
	s.readAll(t, l, 70)
	l.write(30)
	s.readAll(t, l, 7)
	if a := s.read(t, l, 7); len(a.Records) != 0 || a.Next != s.request.Cursor {
		t.Fatalf("%d records of a log without new ones", len(a.Records))
	}
	wantIDs(t, s.records[1], span(1, 230))
	if len(s.gaps) > 0 {
		t.Errorf("gaps %+v", s.gaps)
	}
	for i, r := range s.records[1] {
		if r.Raw != l.records[i].xml {
			t.Fatalf("record %d is %s, the log has %s", r.ID, r.Raw, l.records[i].xml)
		}
	}
}

func TestFirstReading(t *testing.T) {
	for _, test := range []struct {
		name  string
		since time.Duration
		want  []int64
	}{
		{"from now on", 0, nil},
		{"the last hour", time.Hour, span(8, 10)},
		{"the last minute", time.Minute, nil},
		{"everything", report.SinceAll, span(4, 10)},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := &fakeLog{t: t}
			for id := int64(4); id <= 10; id++ {
				l.add(id, now.Add(-time.Duration(11-id)*20*time.Minute), 0)
			}
			s := newServer(report.Filter{})
			s.request.Since = test.since
			s.readAll(t, l, 100)
			wantIDs(t, s.records[1], test.want)
			l.write(2) // follows, whatever the first reading took
			s.readAll(t, l, 100)
			wantIDs(t, s.records[1], append(test.want, 11, 12))
			if len(s.gaps) > 0 {
				t.Errorf("gaps %+v: nobody was promised what is older", s.gaps)
			}
		})
	}
}

func TestRotation(t *testing.T) {
	l := &fakeLog{t: t}
	s := newServer(report.Filter{})
	l.write(10)
	s.readAll(t, l, 100)
	l.write(20)
	l.rotate(5)
	s.readAll(t, l, 100)
	wantIDs(t, s.records[1], append(span(1, 10), span(26, 30)...))
	wantGaps(t, s, report.Gap{Epoch: 1, First: 11, Last: 25})
	l.write(3)
	l.rotate(3) // all that was read is gone, and nothing else
	s.readAll(t, l, 100)
	wantIDs(t, s.records[1][15:], span(31, 33))
	wantGaps(t, s, report.Gap{Epoch: 1, First: 11, Last: 25})
}

func wantGaps(t *testing.T, s *server, want ...report.Gap) {
	t.Helper()
	got := slices.Clone(s.gaps)
	for i := range got {
		if got[i].Reason == "" {
			t.Errorf("the gap %+v has no reason", got[i])
		}
		got[i].Reason = ""
	}
	if !slices.Equal(got, want) {
		t.Fatalf("gaps %+v, want %+v", got, want)
	}
}

// The ids of a log that is cleared go on: the first is that of the record that says so.
func TestAClearedLog(t *testing.T) {
	for _, read := range []int{10, 7} {
		l := &fakeLog{t: t}
		s := newServer(report.Filter{})
		l.write(read)
		s.readAll(t, l, 100)
		l.write(11 - read) // up to 11, which is the record of the clearing
		l.rotate(1)
		s.readAll(t, l, 100)
		if len(s.records) != 1 {
			t.Fatalf("%d epochs", len(s.records))
		}
		if read == 10 {
			wantGaps(t, s)
		} else {
			wantGaps(t, s, report.Gap{Epoch: 1, First: 8, Last: 10})
		}
	}
}

func TestALogMadeAnew(t *testing.T) {
	for _, test := range []struct {
		name string
		n    int
		why  string
	}{
		{"with lower ids", 5, "went back"},
		{"with a record less", 9, "went back"},
		{"with as many records", 10, "another record's"},
		{"with more records", 15, "another record's"},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := &fakeLog{t: t}
			s := newServer(report.Filter{})
			l.write(10)
			s.readAll(t, l, 100)
			l.records = nil
			for id := range test.n {
				l.add(int64(id+1), now, 7)
			}
			a := s.read(t, l, 3)
			if !strings.Contains(a.Why, test.why) || a.Epoch != 2 {
				t.Fatalf("epoch %d, why %q", a.Epoch, a.Why)
			}
			s.readAll(t, l, 3)
			wantIDs(t, s.records[2], span(1, int64(test.n)))
			wantGaps(t, s, report.Gap{Epoch: 1, First: 11, Possible: true})
		})
	}
}

// The epoch that the server reserved long ago is not that of a log that is made anew, although its records may be older.
func TestALogMadeAnewIsNotTheOneThatBeganBefore(t *testing.T) {
	l := &fakeLog{t: t}
	s := newServer(report.Filter{})
	l.write(10)
	s.readAll(t, l, 3)
	l.records = nil
	for id := int64(5); id <= 8; id++ {
		l.add(id, now, 7)
	}
	if a := s.read(t, l, 100); a.Epoch != 2 || len(a.Records) != 4 {
		t.Errorf("epoch %d, %d records", a.Epoch, len(a.Records))
	}
}

// That the newest record can't be rendered does not mean that ids went back.
func TestTheRecordReadLastCannotBeRendered(t *testing.T) {
	l := &fakeLog{t: t}
	s := newServer(report.Filter{})
	l.write(10)
	s.readAll(t, l, 100)
	l.records[9].broken = true
	cursor := s.request.Cursor
	a := s.read(t, l, 100)
	wantTrouble(t, &a, report.TroubleFailed, "rendered")
	l.write(1)
	if a = s.read(t, l, 100); a.Begun != "" || len(a.Records) != 1 || a.Trouble != nil || a.Next == cursor {
		t.Errorf("%+v", a)
	}
}

// The same record in other words (a fraction of other length) is the same record.
func TestAnUpgradeOfWindows(t *testing.T) {
	l := &fakeLog{t: t}
	s := newServer(report.Filter{})
	l.write(10)
	s.readAll(t, l, 100)
	for i := range l.records {
		l.records[i].xml = strings.Replace(l.records[i].xml, "000000000Z", "0000000Z", 1)
	}
	l.write(1)
	if a := s.read(t, l, 100); a.Begun != "" || len(a.Records) != 1 {
		t.Errorf("%+v", a)
	}
}

func TestAGapInTheMidst(t *testing.T) {
	l := &fakeLog{t: t}
	s := newServer(report.Filter{})
	l.write(300)
	batches := 0
	l.after = func(call string) {
		if call == "next" {
			if batches++; batches == 5 { // while it reads
				l.write(200)
				l.rotate(100)
				l.stale++
			}
		}
	}
	s.readAll(t, l, 1000)
	if len(s.gaps) != 1 || s.gaps[0].Last != 400 || s.gaps[0].Possible {
		t.Fatalf("gaps %+v", s.gaps)
	}
	wantIDs(t, s.records[1], append(span(1, s.gaps[0].First-1), span(401, 500)...))
}

// While Windows selects, records come and are rotated away, and then the log is cleared: what was gone before the last batch
// is told, though nothing is left to know that by.
func TestALogThatIsClearedWhileWindowsSelects(t *testing.T) {
	l := &fakeLog{t: t, xpath: func(*report.Record) bool { return true }}
	s := newServer(report.Filter{XPath: "*[System[Level=1]]"})
	l.write(80)
	batches := 0
	l.after = func(call string) {
		switch {
		case call == "next":
			if batches++; batches == 3 { // of which the first is the newest record
				l.write(100)
				l.rotate(20)
			}
		case call == "oldest" && batches == 3:
			l.records = nil
		}
	}
	s.readAll(t, l, 1000)
	wantIDs(t, s.records[1], append(span(1, 64), span(161, 180)...))
	wantGaps(t, s, report.Gap{Epoch: 1, First: 65, Last: 160, Possible: true})
}

func TestARecordThatCannotBeRendered(t *testing.T) {
	for _, filter := range []report.Filter{{}, {XPath: "*[System[Level=1]]"}} {
		l := &fakeLog{t: t, xpath: func(*report.Record) bool { return true }}
		s := newServer(filter)
		l.write(10)
		l.records[4].broken = true
		l.records[9].broken = true
		s.readAll(t, l, 100)
		l.write(1)
		s.readAll(t, l, 100)
		want := append(append(span(1, 4), span(6, 9)...), 11)
		wantIDs(t, s.records[1], want)
		possible := !filter.IsZero()
		wantGaps(t, s, report.Gap{Epoch: 1, First: 5, Last: 5, Possible: possible}, report.Gap{Epoch: 1, First: 10, Last: 10, Possible: possible})
	}
}
