package wevt_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"muster/internal/client/logs/wevt"
	"muster/internal/report"
)

func TestTrouble(t *testing.T) {
	for _, test := range []struct {
		name  string
		call  string
		err   error
		kind  report.TroubleKind
		words string
	}{
		{"access denied", "query", wevt.AccessDenied, report.TroubleDenied, "Event Log Readers"},
		{"no channel", "query", wevt.ChannelNotFound, report.TroubleAbsent, "no such channel"},
		{"malformed channel", "query", wevt.InvalidChannelPath, report.TroubleAbsent, "malformed"},
		{"bad query", "query", wevt.InvalidQuery, report.TroubleQuery, "query"},
		{"no reason", "query", wevt.Code(0), report.TroubleFailed, "not why"},
		{"no service", "next", wevt.ServerUnavailable, report.TroubleFailed, "service"},
		{"no service when rendering", "xml", wevt.ServerUnavailable, report.TroubleFailed, "service"},
		{"no message table", "next", wevt.MessageNotFound, report.TroubleFailed, "15027"},
		{"stale for ever", "next", wevt.ResultStale, report.TroubleFailed, "changed"},
		{"too large for ever", "next", wevt.InvalidBound, report.TroubleFailed, "batch"},
		{"lacking function", "query", wevt.ProcNotFound, report.TroubleUnsupported, "lacks"},
		{"out of time", "next", wevt.Timeout, report.TroubleSlow, "too long"},
		{"not of Windows", "query", errors.New("odd"), report.TroubleFailed, "odd"},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := &fakeLog{t: t}
			l.write(100)
			s := newServer(report.Filter{})
			s.read(t, l, 10)
			cursor := s.request.Cursor
			l.fail = func(call string) error {
				if call == test.call {
					return test.err
				}
				return nil
			}
			a := s.read(t, l, 100)
			wantTrouble(t, &a, test.kind, test.words)
			if a.Next != cursor || a.More || len(a.Records) > 0 {
				t.Errorf("%+v", a)
			}
			l.fail = nil
			s.readAll(t, l, 100)
			wantIDs(t, s.records[1], span(1, 100))
		})
	}
}

func TestTroubleInTheMidstKeepsWhatWasRead(t *testing.T) {
	l := &fakeLog{t: t}
	l.write(200)
	s := newServer(report.Filter{})
	calls := 0
	l.fail = func(call string) error {
		if call == "xml" {
			if calls++; calls == 100 {
				return wevt.ServerUnavailable
			}
		}
		return nil
	}
	a := s.read(t, l, 1000)
	wantTrouble(t, &a, report.TroubleFailed, "1722")
	if n := len(a.Records); n < 64 || n > 100 || a.Next.Record != int64(n) || a.More {
		t.Fatalf("%d records, next %+v", n, a.Next)
	}
	s.readAll(t, l, 1000)
	wantIDs(t, s.records[1], span(1, 200))
}

func TestBatchesThatAreTooLarge(t *testing.T) {
	for _, most := range []int{1, 2, 5, 16, 33} {
		l := &fakeLog{t: t, most: most}
		l.write(150)
		s := newServer(report.Filter{})
		s.readAll(t, l, 1000)
		wantIDs(t, s.records[1], span(1, 150))
		wantGaps(t, s)
	}
}

func TestTheEndOfTheContext(t *testing.T) {
	l := &fakeLog{t: t}
	l.write(200)
	s := newServer(report.Filter{})
	ctx, cancel := context.WithCancel(t.Context())
	calls := 0
	l.after = func(call string) {
		if call == "xml" {
			if calls++; calls == 90 {
				cancel()
			}
		}
	}
	a := wevt.Read(ctx, l, s.query(1000))
	if n := len(a.Records); !a.More || a.Trouble != nil || n < 64 || n > 90 || l.open != 0 {
		t.Fatalf("%d records, more %v, %+v, %d open", n, a.More, a.Trouble, l.open)
	}
	s.keep(&a)
	l.after = nil
	s.readAll(t, l, 1000)
	wantIDs(t, s.records[1], span(1, 200))

	a = wevt.Read(ctx, l, s.query(10))
	if !a.More || a.Next != s.request.Cursor || a.Trouble != nil {
		t.Errorf("a reading without time: %+v", a)
	}
}

// Windows takes all the time that there is: with records read there is more, without one the channel is slow.
func TestWindowsTakesAllTheTime(t *testing.T) {
	for _, read := range []int{0, 3} {
		l := &fakeLog{t: t}
		l.write(200)
		s := newServer(report.Filter{})
		s.read(t, l, 10)
		batches := 0
		l.fail = func(call string) error {
			if call == "next" {
				if batches++; batches > 3+read { // of which three find out where the reading goes on
					return wevt.Timeout
				}
			}
			return nil
		}
		a := s.read(t, l, 1000)
		if slow := a.Trouble != nil && a.Trouble.Kind == report.TroubleSlow; slow != (read == 0) || a.More == slow || (len(a.Records) == 0) != slow {
			t.Errorf("after %d batches: %+v, more %v, %d records", read, a.Trouble, a.More, len(a.Records))
		}
	}
}

// Windows takes all the time to select records far behind the cursor. Half of it is left to reading them all; a query that only
// Windows can evaluate is slow.
func TestWindowsTakesAllTheTimeToSelect(t *testing.T) {
	for filter, slow := range map[*report.Filter]bool{
		{Providers: []string{"source0"}}: false,
		{XPath: "*[System[Level=1]]"}:    true,
	} {
		synctest.Test(t, func(t *testing.T) {
			l := &fakeLog{t: t, xpath: func(*report.Record) bool { return false }}
			l.write(10)
			s := newServer(*filter)
			s.readAll(t, l, 10)
			before := s.request.Cursor
			l.writeFar(10)
			l.endless = true
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			a := wevt.Read(ctx, l, s.query(10))
			if told := a.Trouble != nil && a.Trouble.Kind == report.TroubleSlow; told != slow || slow != (a.Next == before) {
				t.Errorf("%+v: %+v", filter, a)
			}
			if !slow && len(a.Records) != 5 {
				t.Errorf("%d records came", len(a.Records))
			}
		})
	}
}

func TestMessages(t *testing.T) {
	l := &fakeLog{t: t}
	l.write(3)
	s := newServer(report.Filter{})
	calls := 0
	l.after = func(call string) {
		if call == "words" {
			calls++
		}
	}
	s.readAll(t, l, 10)
	if calls != 0 || s.records[1][0].Message != "" {
		t.Fatalf("%d texts were formatted that nobody wants", calls)
	}
	l.write(1)
	s.request.Messages = true
	s.request.Filter.Providers = []string{"source0"}
	l.write(2)
	s.readAll(t, l, 10)
	got := s.records[1][3:]
	if len(got) != 2 || got[0].Message != "said by Source0" || got[0].Keywords != "Audit Success; Classic" || calls != 2 {
		t.Fatalf("%+v, %d calls", got, calls)
	}
	l.fail = func(call string) error {
		if call == "words" {
			return wevt.MessageNotFound
		}
		return nil
	}
	l.write(2)
	if a := s.read(t, l, 10); len(a.Records) != 1 || a.Trouble != nil {
		t.Errorf("without its message a record is lost: %+v", a)
	}
}
