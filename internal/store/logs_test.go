package store

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

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

// testLogTexts puts every weird text into every field, all in one batch.

// testLogNames: channels and hosts that differ in anything are not one.

// testLongRecords saves records that are as long as they may be, in characters that are escaped, with the least that a

// server may be set to take at once.

// testLogsHalved: what takes too long is saved in parts, channels, and records, and a cursor with the last of its records.

// testLogFollow has two servers save at once, one of them slowly, and a reader that follows: it gets each line once.
