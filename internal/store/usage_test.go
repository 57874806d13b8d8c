package store

import (
	"math"
	"testing"
	"time"
)

func usage(t *testing.T, s *Store, now time.Time, days int) *Usage {
	t.Helper()
	u, err := s.Usage(t.Context(), now, days)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func testUsage(t *testing.T, x *target) {
	s := x.open(t)
	now := noon().Add(3 * time.Hour)
	empty := usage(t, s, now, 3)
	for _, table := range empty.Tables {
		if table.Rows != 0 && table.Name != "log_sequence" || table.Estimated || table.Bytes < 0 || !table.Oldest.IsZero() || !table.Newest.IsZero() {
			t.Errorf("an empty database has %+v", table)
		}
	}
	if len(empty.Days) != 3 || empty.Bytes <= 0 {
		t.Errorf("an empty database has %+v", empty)
	}
	// None of the tables is forgotten.
	tables := "information_schema.tables WHERE table_type = 'BASE TABLE' AND table_name NOT LIKE 'goose%' AND table_schema = "
	switch s.engine.name {
	case "sqlite":
		tables = "sqlite_schema WHERE type = 'table' AND name NOT LIKE 'goose%' AND name NOT LIKE 'sqlite%'"
	case "mysql":
		tables += "DATABASE()"
	case "postgres":
		tables += "current_schema()"
	}
	if want := count(t, s, tables); len(empty.Tables) != want {
		t.Errorf("%d of %d tables are shown", len(empty.Tables), want)
	}

	// Two sweeps long ago, one yesterday, three today, one that a clock has put into the future.
	day := 24 * time.Hour
	times := []time.Time{
		noon().Add(-40 * day), noon().Add(-39 * day), noon().Add(-day), noon(), noon().Add(time.Minute), noon().Add(2 * time.Minute),
		noon().Add(2 * day),
	}
	for _, at := range times {
		save(t, s, append(fleet(at, 2, 5), broken("dead", at))...)
	}
	for i := range 4 {
		saveLog(t, s, i, noon().Add(time.Duration(i)*time.Minute))
	}
	if err := s.SaveAlerts(t.Context(), []Alert{someAlert("a")}); err != nil {
		t.Fatal(err)
	}
	u := usage(t, s, now, 3)
	oldest, newest := times[0], times[len(times)-1]
	for name, want := range map[string]TableUsage{
		"statistics": {Rows: 70, Oldest: oldest, Newest: newest}, "visits": {Rows: 21, Oldest: oldest, Newest: newest},
		"sweeps": {Rows: 7, Oldest: oldest, Newest: newest}, "logs": {Rows: 4, Oldest: noon(), Newest: noon().Add(3 * time.Minute)},
		"series": {Rows: 10}, "hosts": {Rows: 3}, "alerts": {Rows: 1}, "cursors": {}, "log_gaps": {}, "log_sequence": {Rows: 1},
	} {
		got := u.table(name)
		want.Name = name
		if s.engine.name != "mysql" && got.Bytes <= 0 { // what MariaDB knows may be older
			t.Errorf("%s takes %d bytes", name, got.Bytes)
		}
		got.Bytes = 0
		if got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	today := now.Truncate(day)
	for i, want := range []DayUsage{
		{Day: today.Add(-2 * day)}, {Day: today.Add(-day), Sweeps: 1, Statistics: 10, Visits: 3},
		{Day: today, Sweeps: 3, Statistics: 30, Visits: 9, Logs: 4},
	} {
		if u.Days[i] != want {
			t.Errorf("day %d: got %+v, want %+v", i, u.Days[i], want)
		}
	}
	taken := int64(0)
	for _, table := range u.Tables {
		taken += table.Bytes
	}
	if u.Bytes < taken || u.Free < 0 || u.Free > u.Bytes {
		t.Errorf("of %d bytes %d are free, and the tables take %d", u.Bytes, u.Free, taken)
	}
}

// testUsageOfMuch has more sweeps than are looked at. All are alike, so that the estimate is exact.
func testUsageOfMuch(t *testing.T, x *target) {
	s := x.open(t)
	now := noon().Add(2 * time.Hour)
	for i := range 4 * samplesPerDay {
		at := noon().Add(time.Duration(i) * time.Minute)
		save(t, s, fleet(at, 1, 2)...)
		if i%2 == 0 {
			save(t, s, fleet(at.Add(-24*time.Hour), 1, 2)...)
		}
	}
	u := usage(t, s, now, 2)
	for i, want := range []DayUsage{{Sweeps: 20, Statistics: 40, Visits: 20, Estimated: true}, {Sweeps: 40, Statistics: 80, Visits: 40, Estimated: true}} {
		want.Day = now.Truncate(24*time.Hour).AddDate(0, 0, i-1)
		if u.Days[i] != want {
			t.Errorf("got %+v, want %+v", u.Days[i], want)
		}
	}
	if got := u.table("statistics"); got.Rows != 120 || !got.Estimated {
		t.Errorf("statistics are %+v", got)
	}
	if got := u.table("sweeps"); got.Rows != 60 || got.Estimated {
		t.Errorf("sweeps are %+v", got)
	}
	// When enough rows were counted one sample has to do.
	c := &counter{store: s, left: 1}
	for range 2 {
		v, err := c.volume(t.Context(), 0, math.MaxInt64, samplesPerDay)
		if want := (volume{sweeps: 60, statistics: 120, visits: 60, estimated: true}); err != nil || v != want {
			t.Errorf("the volume is %+v, %v, want %+v", v, err, want)
		}
	}
	if c.left != 1-2*3 {
		t.Errorf("%d rows were counted", 1-c.left)
	}
	save(t, s, fleet(noon(), 5, 2)...)
	c = &counter{store: s, left: countedMost}
	v, err := c.volume(t.Context(), noon().UnixMilli(), math.MaxInt64, 10)
	if want := (volume{sweeps: 40, statistics: 4 * (18 + 10), visits: 4 * (9 + 5), estimated: true}); err != nil || v != want {
		t.Errorf("the volume is %+v, %v, want %+v", v, err, want)
	}
}

// testUsageOfGaps has a sweep, a long pause, and ten more, the first of them by far the largest: it is counted once.
func testUsageOfGaps(t *testing.T, x *target) {
	s := x.open(t)
	save(t, s, fleet(noon(), 1, 1)...)
	for i := range samplesPerDay {
		hosts := 1
		if i == 0 {
			hosts = 5
		}
		save(t, s, fleet(noon().Add(10*time.Hour+time.Duration(i)*time.Minute), hosts, 1)...)
	}
	u := usage(t, s, noon().Add(11*time.Hour), 1)
	if want := scale(1+5+8, 11, 10); u.Days[0].Visits != want || u.Days[0].Statistics != want || !u.Days[0].Estimated {
		t.Errorf("got %+v, want %d visits", u.Days[0], want)
	}
}

func TestForecast(t *testing.T) {
	const day = 24 * time.Hour
	now := noon()
	today := now.Truncate(day)
	u := Usage{
		Bytes: 5000, Free: 1000,
		Tables: []TableUsage{
			{Name: "statistics", Rows: 100, Bytes: 2000, Oldest: now.Add(-20 * day)},
			{Name: "visits", Rows: 10, Bytes: 1000, Oldest: now.Add(-20*day - time.Hour)},
		},
		Days: []DayUsage{{Day: today.Add(-2 * day), Statistics: 30, Visits: 3}, {Day: today.Add(-day), Statistics: 15, Visits: 1}, {Day: today, Statistics: 5, Visits: 1}},
	}
	// 50 statistics of 20 bytes and 5 visits of 100 in two days and a half.
	want := Forecast{RowsPerDay: 22, BytesPerDay: 600, Bytes: -1}
	if got := u.Forecast(now, 0); got != want {
		t.Errorf("without end: %+v, want %+v", got, want)
	}
	want.Reached, want.Bytes = now.Add(-20*day-time.Hour).Add(100*day), 1000+600*100
	if got := u.Forecast(now, 100*day); got != want {
		t.Errorf("kept for 100 days: %+v, want %+v", got, want)
	}
	// What began within the days is not spread over all of them; an hour is the least.
	u.Tables[0].Oldest, u.Tables[1].Oldest = now.Add(-time.Minute), now.Add(-time.Minute)
	if got := u.Forecast(now, 0); got.RowsPerDay != 55*24 || got.BytesPerDay != 1500*24 {
		t.Errorf("since a minute: %+v", got)
	}
	u.Tables[0].Bytes = -1
	if got := u.Forecast(now, day); got.BytesPerDay != -1 || got.Bytes != -1 || got.RowsPerDay != 55*24 {
		t.Errorf("of unknown size: %+v", got)
	}
	if got := (&Usage{}).Forecast(now, day); got != (Forecast{Bytes: -1}) {
		t.Errorf("of nothing: %+v", got)
	}
}
