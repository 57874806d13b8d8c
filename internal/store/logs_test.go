package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"gorm.io/gorm"

	"muster/internal/report"
)

// read returns the lines that a query selects.
func read(t testing.TB, s *Store, q LogQuery) []LogLine {
	t.Helper()
	var lines []LogLine
	for line, err := range s.Logs(t.Context(), q) {
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line)
	}
	return lines
}

// fullPart has something in every field.
func fullPart() Logs {
	return Logs{
		Visit: "v1", Part: 2, Sweep: noon(), Host: "web1", Groups: "web/front", Read: noon().Add(time.Second),
		Channels: []report.Logs{{
			Channel: "Security", Epoch: 7, Begun: "identity", Why: "first reading", More: true,
			Records: []report.Record{{
				ID: 41, Time: noon().Add(-time.Hour + 123456*time.Microsecond), Level: report.AuditFailure, Event: 4625, Source: "Microsoft-Windows-Security-Auditing",
				Computer: "web1.example.org", User: "S-1-5-18", Process: 620, Keywords: "Audit Failure", Message: "An account failed\r\n\tto log on.",
				Data: []report.Field{{Name: "TargetUserName", Value: "änn \\ \"x\" 😀"}, {Name: "", Value: "1"}, {Name: "", Value: "2"}, {Name: "IpAddress", Value: "10.1.2.3"}},
				Raw:  "<Event>\r\n</Event>", Altered: true,
			}, {ID: 43, Time: noon()}},
			Gaps: []report.Gap{{Epoch: 7, First: 1, Last: 40, Possible: true, Reason: "rotated away"}, {Epoch: 7, First: 42}},
			Next: report.Cursor{Epoch: 7, Record: 43, Position: "bookmark\n"},
		}},
	}
}

func testLogColumns(t *testing.T, x *target) {
	o := x.fresh(t)
	s := openStore(t, o)
	s.logon = securityLogon
	p := fullPart()
	saveLogs(t, s, p)
	got := read(t, s, LogQuery{Raw: true, Gaps: true})
	c := &p.Channels[0]
	line := func(position int64) LogLine {
		return LogLine{Position: position, Host: "web1", Channel: "Security", Epoch: 7, Sweep: noon()}
	}
	want := []LogLine{line(2), line(3), line(4), line(5)}
	want[0].Record = &LogRecord{Record: c.Records[0], Logon: Logon{Outcome: LogonFailed, Account: "änn \\ \"x\" 😀", Address: "10.1.2.3"}}
	want[1].Record = &LogRecord{Record: c.Records[1]}
	want[2].Gap = &LogGap{Gap: c.Gaps[0], Found: p.Read}
	want[3].Gap = &LogGap{Gap: c.Gaps[1], Found: p.Read}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%s\nwant\n%s", show(got), show(want))
	}
	for i := range reflect.TypeFor[report.Record]().NumField() {
		if reflect.ValueOf(c.Records[0]).Field(i).IsZero() {
			t.Errorf("no test has the field %s", reflect.TypeFor[report.Record]().Field(i).Name)
		}
	}
	var cursors []cursorRow
	if err := s.db.Find(&cursors).Error; err != nil || len(cursors) != 1 {
		t.Fatal(cursors, err)
	}
	cursors[0].Updated = cursors[0].Updated.UTC()
	if want := (cursorRow{"web1", "Security", 7, 43, "bookmark\n", p.Read}); cursors[0] != want {
		t.Errorf("the cursor is %+v, want %+v", cursors[0], want)
	}
	if lines := read(t, s, LogQuery{}); len(lines) != 2 || lines[0].Record.Raw != "" {
		t.Errorf("neither raw forms nor gaps were asked for, and there are %s", show(lines))
	}
	// A record is one of SQL's, too.
	if n := count(t, s, "log_records WHERE account <> '' AND address = '10.1.2.3' AND logon = 'failed' AND epoch = 7"); n != 1 {
		t.Error("the view does not show the record")
	}
}

func show(lines []LogLine) string {
	var b strings.Builder
	for _, l := range lines {
		fmt.Fprintf(&b, "%d %s %s %d %v", l.Position, l.Host, l.Channel, l.Epoch, l.Sweep)
		if l.Record != nil {
			fmt.Fprintf(&b, " %+.300v", *l.Record)
		}
		if l.Gap != nil {
			fmt.Fprintf(&b, " gap %+v", *l.Gap)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// books returns how often each record is in the database, gaps, and the cursors.
func logBooks(t *testing.T, s *Store) (records map[string]int, gaps []string, cursors []string) {
	t.Helper()
	records = make(map[string]int)
	for _, l := range read(t, s, LogQuery{Gaps: true}) {
		if l.Gap != nil {
			gaps = append(gaps, fmt.Sprint(l.Host, l.Channel, l.Epoch, l.Gap.Gap))
			continue
		}
		records[fmt.Sprint(l.Host, " ", l.Channel, " ", l.Epoch, " ", l.Record.ID)]++
	}
	for _, row := range table(t, s, "SELECT host, channel, epoch, record_id, position FROM cursors ORDER BY host, channel") {
		cursors = append(cursors, strings.Join(row, " "))
	}
	slices.Sort(gaps)
	return records, gaps, cursors
}

// testGapsWiden repeats readings between which more records went.
func testGapsWiden(t *testing.T, x *target) {
	s := x.open(t)
	for _, test := range []struct{ last, want int64 }{{150, 150}, {200, 200}, {180, 200}, {0, 0}, {300, 0}} {
		p := part("web1", "journal", noon(), 500, 1, lineRecord)
		p.Channels[0].Gaps = []report.Gap{{Epoch: 1, First: 101, Last: test.last}}
		if err := s.SaveLogs(t.Context(), []Logs{p}); err != nil {
			t.Fatal(err)
		}
		_, gaps, _ := logBooks(t, s)
		if want := fmt.Sprint("web1", "journal", 1, report.Gap{Epoch: 1, First: 101, Last: test.want}); !slices.Equal(gaps, []string{want}) {
			t.Fatalf("after a gap to %d: %v, want %s", test.last, gaps, want)
		}
	}
}

// testLogsRepeated delivers the parts of two hosts in all kinds of orders, some twice, from two servers at once.
func testLogsRepeated(t *testing.T, x *target) {
	var parts []Logs
	for i := range 6 {
		for _, host := range []string{"web1", "web2"} {
			at := noon().Add(time.Duration(i) * time.Minute)
			p := part(host, "journal", at, int64(10*i+1), 10, lineRecord)
			p.Channels[0].Epoch, p.Channels[0].Next.Epoch = 99-int64(i/3), 99-int64(i/3) // a later epoch may have a smaller number
			p.Channels[0].Next.Position = fmt.Sprint("part ", i)
			p.Channels[0].Gaps = []report.Gap{{Epoch: 99 - int64(i/3), First: int64(1000 + i), Last: 2000}}
			parts = append(parts, p)
		}
	}
	want := make(map[string]int)
	for _, p := range parts {
		for _, r := range p.Channels[0].Records {
			want[fmt.Sprint(p.Host, " journal ", p.Channels[0].Epoch, " ", r.ID)] = 1
		}
	}
	backwards := slices.Clone(parts)
	slices.Reverse(backwards)
	for name, orders := range map[string][2][]Logs{
		"in order, twice": {parts, parts}, "backwards": {backwards, nil}, "both": {parts, backwards},
	} {
		o := x.fresh(t)
		var servers sync.WaitGroup
		var stores []*Store
		for _, order := range orders {
			s := openStore(t, o)
			stores = append(stores, s)
			servers.Go(func() {
				for chunk := range slices.Chunk(order, 3) {
					if err := s.SaveLogs(t.Context(), chunk); err != nil {
						t.Error(name, err)
					}
				}
			})
		}
		servers.Wait()
		records, gaps, cursors := logBooks(t, stores[0])
		if !reflect.DeepEqual(records, want) || len(gaps) != 12 {
			t.Errorf("%s: %d records, %d gaps; want %d, 12", name, len(records), len(gaps), len(want))
		}
		if want := []string{"web1 journal 98 60 part 5", "web2 journal 98 60 part 5"}; !slices.Equal(cursors, want) {
			t.Errorf("%s: the cursors are %q, want %q", name, cursors, want)
		}
	}
}

func testLogCursors(t *testing.T, x *target) {
	s := x.open(t)
	for i, c := range []struct {
		epoch, record int64
		read          time.Duration
		position      string
		want          string
	}{
		{5, 10, 0, "a", "5 10 a"},
		{5, 9, time.Minute, "b", "5 10 a"},        // within an epoch it is never back, whenever it was read
		{5, 10, -time.Second, "c", "5 10 a"},      // the same delivery again
		{5, 10, time.Minute, "d", "5 10 d"},       // it passed over what was not wanted
		{5, 30, -time.Hour, "e", "5 30 e"},        // further, by a clock that was put back
		{0, 0, time.Hour, "f", "5 30 e"},          // it was never read
		{2, 1, -90 * time.Minute, "g", "5 30 e"},  // an epoch of before: journals' numbers are no order …
		{2, 1, time.Minute, "h", "2 1 h"},         // … and one of after
		{5, 31, 0, "i", "2 1 h"},                  // a late one of the epoch before
		{9, 1, 100 * time.Hour, "j", "9 1 j"},     // by a clock that was ahead …
		{10, 1, 2 * time.Minute, "k", "10 1 k"},   // … and put right
		{math.MaxInt64, 0, time.Hour, "", "* 0 "}, // nothing of the epoch is read yet
	} {
		saveLogs(t, s, Logs{Visit: "v", Sweep: noon(), Host: "web1", Read: noon().Add(c.read), Channels: []report.Logs{
			{Channel: "journal", Epoch: c.epoch, Next: report.Cursor{Epoch: c.epoch, Record: c.record, Position: c.position}},
		}})
		_, _, cursors := logBooks(t, s)
		want := "web1 journal " + strings.Replace(c.want, "*", fmt.Sprint(math.MaxInt64), 1)
		if len(cursors) != 1 || cursors[0] != want {
			t.Errorf("%d: the cursor is %q, want %q", i, cursors, want)
		}
	}
}

// testLogsTogether has each statement of a transaction fail in turn: nothing of it stays.
func testLogsTogether(t *testing.T, x *target) {
	s := x.open(t)
	for _, table := range []string{"logs", "log_gaps", "cursors"} {
		broken := errors.New("broken")
		name := "test:" + table
		err := s.db.Callback().Create().Before("gorm:create").Register(name, func(tx *gorm.DB) {
			if tx.Statement.Table == table {
				_ = tx.AddError(broken)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.SaveLogs(t.Context(), []Logs{fullPart()}); !errors.Is(err, broken) {
			t.Errorf("%s: %v", table, err)
		}
		if err := s.db.Callback().Create().Remove(name); err != nil {
			t.Fatal(err)
		}
		records, gaps, cursors := logBooks(t, s)
		if len(records)+len(gaps)+len(cursors) > 0 {
			t.Errorf("%s: %v, %v, %v are left", table, records, gaps, cursors)
		}
	}
	if end, err := s.LogEnd(t.Context()); err != nil || end != 1 {
		t.Errorf("the end is %d, %v", end, err)
	}
}

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

// testLogTexts puts every weird text into every field, all in one batch.
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

// testLogNames: channels and hosts that differ in anything are not one.
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

// testLongRecords saves records that are as long as they may be, in characters that are escaped, with the least that a
// server may be set to take at once.
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

// testLogsHalved: what takes too long is saved in parts, channels, and records, and a cursor with the last of its records.
func testLogsHalved(t *testing.T, x *target) {
	s := x.open(t)
	saveLogs(t, s, part("other", "journal", noon(), 1, 1, lineRecord)) // connects
	s.timeout = 2 * time.Second
	var attempts []int
	err := s.db.Callback().Create().Before("gorm:create").Register("test:slow", func(tx *gorm.DB) {
		if tx.Statement.Table != "logs" {
			return
		}
		n := tx.Statement.ReflectValue.Len()
		attempts = append(attempts, n)
		if n > 3 {
			<-tx.Statement.Context.Done()
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	a := part("web1", "journal", noon(), 1, 2, lineRecord)
	a.Channels = append(a.Channels, part("web1", "file:/x", noon(), 1, 5, lineRecord).Channels...)
	a.Channels[1].Gaps = []report.Gap{{Epoch: 1, First: 9}}
	saveLogs(t, s, a, part("web2", "journal", noon(), 1, 1, lineRecord))
	if want := []int{8, 7, 2, 5, 2, 3, 1}; !slices.Equal(attempts, want) {
		t.Errorf("the transactions had %v records, want %v", attempts, want)
	}
	records, gaps, cursors := logBooks(t, s)
	if len(records) != 9 || len(gaps) != 1 || len(cursors) != 4 {
		t.Errorf("%d records, %d gaps, %d cursors", len(records), len(gaps), len(cursors))
	}
}

// testLogFollow has two servers save at once, one of them slowly, and a reader that follows: it gets each line once.
func testLogFollow(t *testing.T, x *target) {
	o := x.fresh(t)
	s := openStore(t, o)
	const each, size = 15, 7
	position, err := s.LogEnd(t.Context())
	if err != nil || position != 1 {
		t.Fatal(position, err)
	}
	var saving sync.WaitGroup
	for i := range 2 {
		writer := openStore(t, o)
		if err := writer.db.Callback().Create().After("gorm:create").Register("test:yield", func(tx *gorm.DB) {
			if i == 0 {
				_ = wait(tx.Statement.Context, time.Millisecond)
			}
		}); err != nil {
			t.Fatal(err)
		}
		saving.Go(func() {
			for j := range each {
				p := part(fmt.Sprint("web", i), "journal", noon().Add(-time.Duration(j)*time.Hour), int64(j*size+1), size, lineRecord)
				p.Channels[0].Gaps = []report.Gap{{Epoch: 1, First: int64(1000 + j)}}
				if err := writer.SaveLogs(t.Context(), []Logs{p}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	over := make(chan struct{})
	go func() { saving.Wait(); close(over) }()
	seen := make(map[int64]int)
	for last := false; ; {
		select {
		case <-over:
			last = true
		default:
		}
		end, err := s.LogEnd(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if end > position {
			for _, l := range read(t, s, LogQuery{After: position, Upto: end, Gaps: true}) {
				if l.Position <= position || l.Position > end {
					t.Errorf("position %d is not after %d and up to %d", l.Position, position, end)
				}
				seen[l.Position]++
			}
		}
		position = end
		if last {
			break
		}
	}
	for p, n := range seen {
		if n != 1 {
			t.Errorf("position %d came %d times", p, n)
		}
	}
	if want := 2 * each * (size + 1); len(seen) != want {
		t.Errorf("%d lines came, want %d", len(seen), want)
	}
}

func testLogsCancelled(t *testing.T, x *target) {
	s := x.open(t)
	saveLogs(t, s, part("web1", "journal", noon(), 1, 5, lineRecord))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	n := 0
	for _, err := range s.Logs(ctx, LogQuery{}) {
		if n++; !errors.Is(err, context.Canceled) || errors.Is(err, ErrUnavailable) {
			t.Errorf("the error is %v", err)
		}
	}
	if n != 1 {
		t.Errorf("%d lines", n)
	}
	for range s.Logs(t.Context(), LogQuery{}) {
		break // whoever takes no more lines gets none
	}
}
