package store

import (
	"context"
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"muster/internal/report"
)

// minutes saves sweeps of a fleet, one a minute from noon on, and returns the time of one.
func minutes(t *testing.T, s *Store, sweeps, hosts, each int) func(i int) time.Time {
	t.Helper()
	at := func(i int) time.Time { return noon().Add(time.Duration(i) * time.Minute) }
	for i := range sweeps {
		save(t, s, fleet(at(i), hosts, each)...)
		if err := s.SaveSweep(t.Context(), Sweep{Time: at(i), Started: at(i), Ended: at(i).Add(time.Second)}); err != nil {
			t.Fatal(err)
		}
	}
	return at
}

// prune prunes, and fails the test where that fails.
func prune(t *testing.T, s *Store, before time.Time) Pruned {
	t.Helper()
	pruned, err := s.Prune(t.Context(), before)
	if err != nil {
		t.Fatal(err)
	}
	return pruned
}

// saveLog saves a log record of the sweep of then.
func saveLog(t *testing.T, s *Store, record int, at time.Time) {
	t.Helper()
	saveLogs(t, s, Logs{Visit: "v", Sweep: at, Host: "a", Read: at, Channels: []report.Logs{
		{Channel: "Security", Epoch: 1, Records: []report.Record{{ID: int64(record), Time: at, Event: 1102}}},
	}})
}

// testPruneLogs: records go by their own time, and those from the future when the sweep that brought them does.
func testPruneLogs(t *testing.T, x *target) {
	s := x.open(t)
	s.steps = pruneSteps{statistics: 30, others: 4}
	at := func(i int) time.Time { return noon().Add(time.Duration(i) * time.Minute) }
	for i := range 10 {
		p := part("web1", "journal", at(i), int64(100*i+1), 3, lineRecord)
		old, ahead := lineRecord("web1", int64(100*i+10), at(i).AddDate(-1, 0, 0)), lineRecord("web1", int64(100*i+11), at(i).AddDate(50, 0, 0))
		c := &p.Channels[0]
		c.Records = append(c.Records, old, ahead)
		c.Gaps = []report.Gap{{Epoch: 1, First: int64(100*i + 20)}}
		saveLogs(t, s, p)
	}
	seen := watchDeletes(t, s, nil)
	pruned := prune(t, s, at(6))
	if pruned.Logs != 10+6*4 || pruned.Gaps != 6 {
		t.Errorf("pruned %+v", pruned)
	}
	for table, steps := range seen {
		if len(steps) == 0 || slices.Max(steps) > 4 {
			t.Errorf("%s were deleted in steps of %v", table, steps)
		}
	}
	left := read(t, s, LogQuery{Gaps: true})
	for _, l := range left {
		if l.Sweep.Before(at(6)) {
			t.Errorf("there is still %+v", l)
		}
	}
	if len(left) != 4*4+4 {
		t.Errorf("%d lines are left", len(left))
	}
	if _, _, cursors := logBooks(t, s); len(cursors) != 1 {
		t.Errorf("the cursors are %v", cursors)
	}
	if pruned := prune(t, s, at(6)); pruned != (Pruned{}) {
		t.Errorf("at once again %+v was pruned", pruned)
	}
}

func testPrune(t *testing.T, x *target) {
	s := x.open(t)
	if pruned := prune(t, s, noon()); pruned != (Pruned{}) {
		t.Errorf("of an empty database %+v was pruned", pruned)
	}
	at := minutes(t, s, 10, 3, 4)
	save(t, s, broken("dead", at(2)))
	for i := range 10 {
		saveLog(t, s, i, at(i))
	}
	over, late, lasting := someAlert("over"), someAlert("late"), someAlert("lasting")
	over.State, over.Raised, over.Ended = resolved, at(0), at(4).Add(-time.Microsecond)
	late.State, late.Raised, late.Ended = resolved, at(0), at(4)
	lasting.State, lasting.Raised = firing, at(0)
	if err := s.SaveAlerts(t.Context(), []Alert{over, late, lasting}); err != nil {
		t.Fatal(err)
	}

	// At the very time nothing is too old.
	pruned := prune(t, s, at(4))
	if want := (Pruned{Statistics: 4 * 12, Visits: 4*3 + 1, Sweeps: 4, Alerts: 1, Logs: 4, Steps: 5}); pruned != want {
		t.Errorf("pruned %+v, want %+v", pruned, want)
	}
	if pruned.Rows() != 48+13+4+1+4 {
		t.Errorf("%d rows", pruned.Rows())
	}
	want := map[string]int{"hosts": 4, "series": 12, "sweeps": 6, "visits": 18, "statistics": 72}
	if got := counts(t, s); !maps.Equal(got, want) {
		t.Errorf("left are %v, want %v", got, want)
	}
	for _, table := range []string{"statistics", "visits", "sweeps"} {
		if oldest := queryOne[int64](t, s, "SELECT min(sweep_time) FROM "+table); oldest != at(4).UnixMilli() {
			t.Errorf("the oldest of %s is of %v", table, time.UnixMilli(oldest).UTC())
		}
	}
	if n := count(t, s, "alerts WHERE id IN ('late', 'lasting')"); n != 2 {
		t.Errorf("%d of 2 alerts are left", n)
	}
	if n := count(t, s, "logs WHERE record_id >= 4"); n != 6 {
		t.Errorf("%d of 6 log records are left", n)
	}
	if pruned := prune(t, s, at(4)); pruned != (Pruned{}) {
		t.Errorf("at once again %+v was pruned", pruned)
	}
	if pruned := prune(t, s, time.Time{}); pruned != (Pruned{}) {
		t.Errorf("before all time %+v was pruned", pruned)
	}

	// A host without history is still known, and comes back with the series that it had.
	status, err := s.Status(t.Context())
	if err != nil || len(status) != 4 || status[0].Host != "dead" || status[0].Kind != "" {
		t.Errorf("the status is %+v, %v", status, err)
	}
	prune(t, s, at(100))
	save(t, s, fleet(at(101), 3, 4)...)
	want = map[string]int{"hosts": 4, "series": 12, "sweeps": 1, "visits": 3, "statistics": 12}
	if got := counts(t, s); !maps.Equal(got, want) {
		t.Errorf("after a pause there are %v, want %v", got, want)
	}
	if n := count(t, s, "latest"); n != 12 {
		t.Errorf("%d of 12 values are the latest", n)
	}
}

// deletes is what a store deleted: the rows of each statement, by table.
type deletes map[string][]int64

// watchDeletes notes each DELETE, and calls then, which may be nil, in its transaction.
func watchDeletes(t *testing.T, s *Store, then func(n int)) deletes {
	t.Helper()
	seen, n := deletes{}, 0
	err := s.db.Callback().Raw().After("gorm:raw").Register("test:deletes", func(tx *gorm.DB) {
		rest, found := strings.CutPrefix(tx.Statement.SQL.String(), "DELETE FROM ")
		if !found {
			return
		}
		table, _, _ := strings.Cut(rest, " ")
		seen[table] = append(seen[table], tx.Statement.RowsAffected)
		n++
		if then != nil {
			then(n)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return seen
}

// testPruneSteps: no transaction deletes more rows than it may, whether sweeps are smaller than a step, larger, or as
// large, and each is one statement.
func testPruneSteps(t *testing.T, x *target) {
	for _, c := range []struct {
		name        string
		hosts, each int
		steps       pruneSteps
		least       int // steps of statistics
	}{
		{"many sweeps to a step", 2, 2, pruneSteps{statistics: 21, others: 7}, 2},
		{"one sweep is a step", 3, 7, pruneSteps{statistics: 21, others: 3}, 8},
		{"many steps to a sweep", 5, 10, pruneSteps{statistics: 7, others: 2}, 56},
		{"a row at a time", 2, 1, pruneSteps{statistics: 2, others: 1}, 8},
	} {
		s := x.open(t)
		s.steps = c.steps
		at := minutes(t, s, 10, c.hosts, c.each)
		for i := range 10 {
			saveLog(t, s, i, at(i))
		}
		seen := watchDeletes(t, s, nil)
		pruned := prune(t, s, at(8))
		want := Pruned{
			Statistics: int64(8 * c.hosts * c.each), Visits: int64(8 * c.hosts), Sweeps: 8, Logs: 8, Steps: pruned.Steps,
		}
		if pruned != want {
			t.Errorf("%s: pruned %+v, want %+v", c.name, pruned, want)
		}
		statements := 0
		for table, steps := range seen {
			most := int64(c.steps.others)
			if table == "statistics" {
				most = int64(c.steps.statistics)
			}
			for _, rows := range steps {
				if rows > most {
					t.Errorf("%s: %d rows of %s in one step, at most %d may be", c.name, rows, table, most)
				}
			}
			statements += len(steps)
		}
		if statements != pruned.Steps || len(seen["statistics"]) < c.least {
			t.Errorf("%s: %d steps, %d statements: %v", c.name, pruned.Steps, statements, seen)
		}
		left := map[string]int{"hosts": c.hosts, "series": c.hosts * c.each, "sweeps": 2, "visits": 2 * c.hosts, "statistics": 2 * c.hosts * c.each}
		if got := counts(t, s); !maps.Equal(got, left) {
			t.Errorf("%s: left are %v, want %v", c.name, got, left)
		}
	}
}

// testPrunePlans: what Prune asks and deletes it finds by keys, without sorting and without reading whole tables.
func testPrunePlans(t *testing.T, x *target) {
	s := x.open(t)
	s.steps = pruneSteps{statistics: 30, others: 5}
	at := minutes(t, s, 20, 10, 10)
	var statements []string
	note := func(tx *gorm.DB) {
		if sql := tx.Statement.SQL.String(); strings.Contains(sql, "statistics") || strings.Contains(sql, "visits") {
			statements = append(statements, tx.Explain(sql, tx.Statement.Vars...))
		}
	}
	for _, register := range []func(string, func(*gorm.DB)) error{
		s.db.Callback().Query().After("gorm:query").Register, s.db.Callback().Row().After("gorm:row").Register,
		s.db.Callback().Raw().After("gorm:raw").Register,
	} {
		if err := register("test:plans", note); err != nil {
			t.Fatal(err)
		}
	}
	prune(t, s, at(1))
	if len(statements) < 8 {
		t.Fatalf("only %q", statements)
	}
	explain, bad := "EXPLAIN ", regexp.MustCompile("ALL|filesort|temporary")
	switch s.engine.name {
	case "sqlite":
		explain, bad = "EXPLAIN QUERY PLAN ", regexp.MustCompile("SCAN|TEMP B-TREE")
	case "postgres":
		// Small tables are read whole, or sorted, whatever their keys: that it can do without is all there is to see.
		bad = regexp.MustCompile("Seq Scan|Sort")
		s.pool.SetMaxOpenConns(1)
		for _, way := range []string{"seqscan", "bitmapscan", "sort"} {
			if err := s.db.Exec("SET enable_" + way + " = off").Error; err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, statement := range statements {
		if plan := render(table(t, s, explain+statement)); bad.MatchString(plan) {
			t.Errorf("%s\n%s", statement, plan)
		}
	}
}

func testPruneCancelled(t *testing.T, x *target) {
	s := x.open(t)
	s.steps = pruneSteps{statistics: 4, others: 4}
	at := minutes(t, s, 10, 2, 2)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	watchDeletes(t, s, func(n int) {
		if n == 4 {
			cancel()
		}
	})
	var told []int64
	first, err := s.PruneWatched(ctx, at(8), func(p Pruned) { told = append(told, p.Rows()) })
	if len(told) != first.Steps || told[0] != 4 || told[len(told)-1] != first.Rows() {
		t.Errorf("of %+v the progress was %v", first, told)
	}
	if !errors.Is(err, context.Canceled) || errors.Is(err, ErrUnavailable) {
		t.Errorf("the error is %v", err)
	}
	// The fourth step was rolled back, or was committed before anybody could tell.
	if first.Statistics < 12 || first.Statistics > 16 || first.Visits != 0 {
		t.Errorf("pruned %+v", first)
	}
	if n := count(t, s, "statistics"); int64(n) != 40-first.Statistics {
		t.Errorf("%d statistics are left after %+v", n, first)
	}
	second := prune(t, s, at(8))
	if first.Statistics+second.Statistics != 32 || second.Visits != 16 || second.Sweeps != 8 {
		t.Errorf("the next call pruned %+v after %+v", second, first)
	}
}

// testPruneBesideOthers has others write between all steps of Prune, and, where the engine takes more than one writer,
// within each of them too, while its transaction is open: nobody waits for it.
func testPruneBesideOthers(t *testing.T, x *target) {
	o := x.fresh(t)
	s, other := openStore(t, o), openStore(t, o)
	s.steps = pruneSteps{statistics: 6, others: 3}
	at := minutes(t, s, 10, 3, 3)
	saved := 0
	saveOne := func() {
		saved++
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := other.Save(ctx, fleet(at(10+saved), 3, 3)); err != nil {
			t.Errorf("visits %d: %v", saved, err)
		}
	}
	if !s.engine.oneWriter {
		watchDeletes(t, s, func(int) { saveOne() })
	}
	// What Prune reads it reads between its steps.
	looks := 0
	between := func(tx *gorm.DB) {
		if strings.Contains(tx.Statement.SQL.String(), "sweep_time >= ") {
			looks++
			saveOne()
		}
	}
	if err := s.db.Callback().Query().After("gorm:query").Register("test:between", between); err != nil {
		t.Fatal(err)
	}
	if err := s.db.Callback().Row().After("gorm:row").Register("test:between", between); err != nil {
		t.Fatal(err)
	}
	pruned := prune(t, s, at(9))
	if pruned.Statistics != 81 || pruned.Visits != 27 || pruned.Sweeps != 9 {
		t.Errorf("pruned %+v", pruned)
	}
	least := looks
	if !s.engine.oneWriter {
		least += pruned.Steps
	}
	if looks < 20 || saved < least {
		t.Errorf("%d looks, %d steps, and others wrote %d times", looks, pruned.Steps, saved)
	}
	want := map[string]int{"hosts": 3, "series": 9, "sweeps": 1 + saved, "visits": 3 + 3*saved, "statistics": 9 + 9*saved}
	if got := counts(t, s); !maps.Equal(got, want) {
		t.Errorf("left are %v, want %v", got, want)
	}
}

// testPruneWhileSaving lets both go as they like, with two servers that prune, and balances the books.
func testPruneWhileSaving(t *testing.T, x *target) {
	o := x.fresh(t)
	s, other := openStore(t, o), openStore(t, o)
	s.steps, other.steps = pruneSteps{statistics: 50, others: 10}, pruneSteps{statistics: 70, others: 20}
	old, recent := 30, 30
	at := minutes(t, s, old, 4, 5)
	saving := make(chan error, 1)
	go func() {
		defer close(saving)
		for i := range recent {
			if err := other.Save(t.Context(), fleet(at(old+i), 4, 5)); err != nil {
				saving <- err
				return
			}
		}
	}()
	results := make(chan Pruned, 2)
	for _, server := range []*Store{s, other} {
		go func() {
			pruned, err := server.Prune(t.Context(), at(old))
			if err != nil {
				t.Error(err)
			}
			results <- pruned
		}()
	}
	a, b := <-results, <-results
	if err := <-saving; err != nil {
		t.Error(err)
	}
	if got := a.Statistics + b.Statistics; got != int64(old*20) {
		t.Errorf("the two pruned %d statistics, %+v and %+v", got, a, b)
	}
	want := map[string]int{"hosts": 4, "series": 20, "sweeps": recent, "visits": 4 * recent, "statistics": 20 * recent}
	if got := counts(t, s); !maps.Equal(got, want) {
		t.Errorf("left are %v, want %v", got, want)
	}
}
