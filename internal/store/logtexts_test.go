package store

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"muster/internal/report"
)

func testInvalidLogs(t *testing.T, x *target) {
	s := x.open(t)
	for _, c := range []struct {
		spoil func(*Logs)
		names string
	}{
		{func(l *Logs) { l.Host = "" }, "v1"},
		{func(l *Logs) { l.Visit = "" }, "web1"},
		{func(l *Logs) { l.Sweep = time.Time{} }, "web1"},
		{func(l *Logs) { l.Sweep = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }, "web1"},
	} {
		p := fullPart()
		c.spoil(&p)
		err := s.SaveLogs(t.Context(), []Logs{part("good", "journal", noon(), 1, 3, lineRecord), p})
		if err == nil || errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), c.names) {
			t.Errorf("%v, want an error that names %s", err, c.names)
		}
	}
	if n := count(t, s, "logs"); n != 0 {
		t.Errorf("%d records are stored", n)
	}
}

func testLogTexts(t *testing.T, x *target) {
	s := x.open(t)
	s.logon = func(_ string, r *report.Record) Logon {
		return Logon{Outcome: r.Source, Account: r.Source, Address: r.Source}
	}
	var logs []Logs
	texts := weirdTexts()
	for i, text := range texts {
		logs = append(logs, Logs{
			Visit: text + "v", Sweep: noon(), Host: text + "h", Groups: text, Read: noon().Add(time.Duration(i) * time.Second),
			Channels: []report.Logs{{
				Channel: text, Epoch: int64(i), Begun: text, Why: text,
				Records: []report.Record{
					{
						ID: int64(i), Time: noon(), Level: report.Level(text), Source: text, Computer: text, User: text, Keywords: text,
						Message: text, Raw: text, Data: []report.Field{{Name: text, Value: text}, {Name: "a", Value: text}, {Name: text, Value: ""}},
					},
					{ID: math.MinInt64, Event: math.MinInt64, Process: math.MaxInt64},
				},
				Gaps: []report.Gap{{Epoch: math.MaxInt64, First: math.MinInt64, Last: math.MaxInt64, Reason: text}},
				Next: report.Cursor{Epoch: -1, Record: math.MaxInt64, Position: text},
			}},
		})
	}
	saveLogs(t, s, logs...)
	lines := read(t, s, LogQuery{Raw: true, Since: noon(), Until: noon().Add(time.Microsecond)})
	if len(lines) < len(texts) {
		t.Fatalf("%d records are stored of %d", len(lines), len(texts))
	}
	seen := make(map[int64]bool)
	for _, l := range lines {
		if l.Record.ID < 0 {
			continue // the time was not said: that of the reading
		}
		text := texts[l.Record.ID]
		seen[l.Record.ID] = true
		if l.Record.Raw != prose(text, maxLogRaw) || l.Record.Message != prose(text, maxLogMessage) {
			t.Errorf("%.40q came back as %.40q and %.40q", text, l.Record.Raw, l.Record.Message)
		}
		name, value := key(text, report.MaxWord), prose(text, report.MaxField)
		if want := []report.Field{{Name: name, Value: value}, {Name: "a", Value: value}, {Name: name}}; !slices.Equal(l.Record.Data, want) {
			t.Errorf("%.40q came back as %.100q", text, l.Record.Data)
		}
		if whole := utf8.ValidString(text) && !strings.ContainsRune(text, 0) && len(text) <= report.MaxWord; l.Record.Altered == whole {
			t.Errorf("%.40q: altered is %v", text, l.Record.Altered)
		}
	}
	if len(seen) != len(texts) {
		t.Errorf("%d of %d are there", len(seen), len(texts))
	}
	if n := len(read(t, s, LogQuery{Gaps: true})); n != 3*len(texts)-1 { // without NUL, two of the gaps are the same
		t.Errorf("%d lines", n)
	}
}

func testLogNames(t *testing.T, x *target) {
	s := x.open(t)
	names := []string{"a", "A", "á", "a\u0301", " a", "ß", "ss", "ＳＥＣ", strings.Repeat("x", 300) + "1", strings.Repeat("x", 300) + "2"}
	for _, host := range names {
		for _, channel := range names {
			p := part(host, channel, noon(), 1, 1, lineRecord)
			p.Channels[0].Gaps = []report.Gap{{Epoch: 1, First: 5}}
			saveLogs(t, s, p)
		}
	}
	for _, table := range []string{"logs", "cursors", "log_gaps"} {
		if n := count(t, s, table); n != len(names)*len(names) {
			t.Errorf("%d of %s are stored, want %d", n, table, len(names)*len(names))
		}
	}
	if lines := read(t, s, LogQuery{Hosts: []string{"A"}, Channels: []string{"a"}}); len(lines) != 1 || lines[0].Channel != "a" || lines[0].Host != "A" {
		t.Errorf("of one channel of one host there are %s", show(lines))
	}
}

func testLogTimes(t *testing.T, x *target) {
	s := x.open(t)
	readAt := noon().Add(time.Second)
	times := []struct{ at, want time.Time }{
		{time.Date(1601, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(1601, 1, 1, 0, 0, 0, 0, time.UTC)},
		{time.Date(1969, 12, 31, 23, 59, 59, 999999999, time.UTC), time.Date(1969, 12, 31, 23, 59, 59, 999999000, time.UTC)},
		{time.Unix(0, 0), time.Unix(0, 0).UTC()},
		{noon().Add(100 * time.Nanosecond), noon()},
		{noon().In(time.FixedZone("", 7*3600+1800)), noon()},
		{time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC)},
		{time.Time{}, readAt},
		{time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), readAt},
		{time.Unix(math.MaxInt64>>1, 0), readAt},
		{time.Unix(math.MinInt64>>1, 0), readAt},
	}
	p := Logs{Visit: "v", Sweep: noon(), Host: "web1", Read: readAt, Channels: []report.Logs{{Channel: "System", Epoch: 1}}}
	for i, c := range times {
		p.Channels[0].Records = append(p.Channels[0].Records, report.Record{ID: int64(i), Time: c.at})
	}
	saveLogs(t, s, p)
	lines := read(t, s, LogQuery{})
	if len(lines) != len(times) {
		t.Fatalf("%d of %d records", len(lines), len(times))
	}
	for i, l := range lines {
		c := times[l.Record.ID]
		if !l.Record.Time.Equal(c.want) || l.Record.Altered != c.want.Equal(readAt) {
			t.Errorf("%v came back as %v, altered %v", c.at, l.Record.Time, l.Record.Altered)
		}
		if i > 0 && l.Record.Time.Before(lines[i-1].Record.Time) {
			t.Errorf("%v comes after %v", l.Record.Time, lines[i-1].Record.Time)
		}
	}
}

func testLongRecords(t *testing.T, x *target) {
	o := x.fresh(t)
	s := openStore(t, o)
	if s.engine.name == "mysql" {
		usual := queryOne[int](t, s, "SELECT @@GLOBAL.max_allowed_packet")
		set := func(n int) {
			if err := s.db.Exec("SET GLOBAL max_allowed_packet = ?", n).Error; err != nil {
				t.Error(err)
			}
		}
		set(4 << 20)
		defer set(usual)
		s = openStore(t, o)
	}
	p := Logs{Visit: "v", Sweep: noon(), Host: "web1", Read: noon(), Channels: []report.Logs{{Channel: "System", Epoch: 1}}}
	long := strings.Repeat(`\'"`, report.MaxRaw)
	for i := range 30 {
		r := report.Record{ID: int64(i + 1), Time: noon(), Raw: long, Message: long}
		for j := range report.MaxFields {
			r.Data = append(r.Data, report.Field{Name: fmt.Sprint("field", j), Value: long[:report.MaxField]})
		}
		p.Channels[0].Records = append(p.Channels[0].Records, r)
	}
	saveLogs(t, s, p)
	lines := read(t, s, LogQuery{Raw: true})
	if len(lines) != 30 {
		t.Fatalf("%d of 30 records", len(lines))
	}
	for _, l := range lines {
		size := 0
		for _, f := range l.Record.Data {
			size += len(f.Name) + len(f.Value)
		}
		if len(l.Record.Raw) < maxLogRaw-3 || len(l.Record.Message) < maxLogMessage-3 || size < maxData-1000 || size > maxData || !l.Record.Altered {
			t.Fatalf("a record came back with %d, %d and %d bytes", len(l.Record.Raw), len(l.Record.Message), size)
		}
	}
}
