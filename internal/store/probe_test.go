package store

import (
	"errors"
	"maps"
	"testing"

	"muster/internal/report"
)

// testProbe: what Probe writes is nowhere afterwards, in the tables or in memory, and what is there stays as it is.
func testProbe(t *testing.T, x *target) {
	s := x.open(t)
	if err := s.Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	for table, n := range counts(t, s) {
		if n != 0 {
			t.Errorf("%d rows of %s are left in an empty database", n, table)
		}
	}
	save(t, s, fleet(noon(), 3, 4)...)
	before := counts(t, s)
	for range 3 {
		if err := s.Probe(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if after := counts(t, s); !maps.Equal(before, after) {
		t.Errorf("rows: %v, and before %v", after, before)
	}
	// A series that the probe wrote and took back is not held for one that is there.
	save(t, s, one("web1", noon(), report.Statistic{Name: "uptime", Unit: "s", Kind: report.Gauge, Value: 5}))
	if n := queryOne[int](t, s, "SELECT count(*) FROM statistics JOIN series ON series.id = statistics.series_id WHERE series.name = 'uptime'"); n != 1 {
		t.Errorf("%d values of uptime have a series, want 1", n)
	}
}

// testProbeFails: a database that takes nothing is not held for one that does.
func testProbeFails(t *testing.T, x *target) {
	for _, table := range []string{"sweeps", "series", "statistics", "visits", "hosts"} {
		t.Run(table, func(t *testing.T) {
			s := x.open(t)
			if _, err := s.pool.ExecContext(t.Context(), "ALTER TABLE "+table+" RENAME TO elsewhere"); err != nil {
				t.Fatal(err)
			}
			if err := s.Probe(t.Context()); err == nil || errors.Is(err, errProbed) {
				t.Errorf("Probe = %v without the table %s", err, table)
			}
		})
	}
}

// testProbeRefusal: while one visit can never be stored, the probe says that others can.
func testProbeRefusal(t *testing.T, x *target) {
	s := x.open(t)
	v := one("web1", noon(), report.Statistic{Name: "uptime", Unit: "s", Kind: report.Gauge, Value: 5})
	v.ID = ""
	if err := s.Save(t.Context(), []Visit{v}); err == nil || errors.Is(err, ErrUnavailable) {
		t.Fatalf("Save = %v, want that the visit can't be stored", err)
	}
	if err := s.Probe(t.Context()); err != nil {
		t.Errorf("Probe = %v", err)
	}
}

// testProbeAway: where nothing can be reached nothing is found in order.
func testProbeAway(t *testing.T, x *target) {
	s := openStore(t, x.fresh(t))
	if err := s.pool.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Probe(t.Context()); err == nil {
		t.Error("Probe found a closed pool in order")
	}
}
