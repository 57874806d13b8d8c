package store

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"
)

// latestHosts returns the hosts of the view latest.
func latestHosts(t *testing.T, s *Store) []string {
	t.Helper()
	var names []string
	for _, row := range table(t, s, "SELECT DISTINCT host FROM latest ORDER BY host") {
		names = append(names, row[0])
	}
	return names
}

func testRemovedHosts(t *testing.T, x *target) {
	s := x.open(t)
	set := func(at time.Time, names ...string) {
		t.Helper()
		if err := s.SetHosts(t.Context(), names, at); err != nil {
			t.Fatal(err)
		}
	}
	want := func(names ...string) {
		t.Helper()
		if got := latestHosts(t, s); !slices.Equal(got, names) {
			t.Errorf("latest has %q, want %q", got, names)
		}
	}
	set(noon(), "anything") // a new database
	save(t, s, fleet(noon(), 3, 2)...)
	want("host0000", "host0001", "host0002")

	removed := noon().Add(time.Hour)
	set(removed, "host0001", "never-visited")
	want("host0001")
	for _, name := range []string{"host0000", "host0002"} {
		if h := readHost(t, s, name); h.Removed == nil || !h.Removed.Equal(removed) {
			t.Errorf("%s was removed at %v, want %v", name, h.Removed, removed)
		}
	}
	if h := readHost(t, s, "host0001"); h.Removed != nil {
		t.Errorf("a host that stays was removed at %v", h.Removed)
	}
	if n := count(t, s, "hosts"); n != 3 {
		t.Errorf("there are %d hosts, want 3", n)
	}
	if n := count(t, s, "samples"); n != 6 {
		t.Errorf("samples has %d rows, want the history of removed hosts too: 6", n)
	}
	// Said again, it is not news: the time stays.
	set(removed.Add(time.Hour), "host0001")
	if h := readHost(t, s, "host0000"); h.Removed == nil || !h.Removed.Equal(removed) {
		t.Errorf("removed again, the time is %v, want %v", h.Removed, removed)
	}
	// A delivery from before that comes late changes nothing; a visit from after it does.
	save(t, s, fleet(removed.Add(-time.Minute), 1, 2)...)
	want("host0001")
	save(t, s, broken("host0002", removed.Add(time.Minute)))
	want("host0001", "host0002")

	set(removed.Add(2*time.Hour), "host0000", "host0001", "host0002")
	want("host0000", "host0001", "host0002")
	set(removed.Add(3 * time.Hour))
	want()
}

// testManyRemovedHosts removes more hosts than fit into one statement, with a name that does not fit its column.
func testManyRemovedHosts(t *testing.T, x *target) {
	s := x.open(t)
	long := fmt.Sprintf("%0300d", 7)
	visits := append(fleet(noon(), 2*rowsMax+1, 1), broken(long, noon()))
	save(t, s, visits...)
	if err := s.SetHosts(t.Context(), []string{"host0000", long}, noon()); err != nil {
		t.Fatal(err)
	}
	if n := queryOne[int](t, s, "SELECT count(*) FROM hosts WHERE removed IS NULL"); n != 2 {
		t.Errorf("%d hosts stay, want the two that are named", n)
	}
}

// testMigrationOfHosts opens a database of the first version with a host in it; on the server that commits each statement,
// the migration has been interrupted before.
func testMigrationOfHosts(t *testing.T, x *target) {
	o := x.fresh(t)
	e, err := newEngine(o, o.Logger)
	if err != nil {
		t.Fatal(err)
	}
	pool, err := e.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	provider, err := e.provider(pool)
	if err != nil {
		t.Fatal(err)
	}
	_, err = provider.UpTo(t.Context(), 1)
	if err == nil && e.name == "mysql" {
		_, err = pool.ExecContext(t.Context(), "ALTER TABLE hosts ADD COLUMN removed DATETIME(6)")
	}
	if err := errors.Join(err, pool.Close()); err != nil {
		t.Fatal(err)
	}
	s := openStore(t, o)
	save(t, s, fleet(noon(), 1, 1)...)
	if got := latestHosts(t, s); !slices.Equal(got, []string{"host0000"}) {
		t.Errorf("after the migration latest has %q", got)
	}
}
