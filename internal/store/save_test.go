package store

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"muster/internal/report"
)

func testEveryColumn(t *testing.T, x *target) {
	s := x.open(t)
	good := Visit{
		ID: "v1", Sweep: noon(), Host: "web1", Groups: "web/front", Address: "10.0.0.1:22",
		Started: noon().Add(1234567 * time.Microsecond), Took: 1500 * time.Millisecond, Sent: 1 << 40, Received: 2, Uploaded: true,
		Log: "a banner", Stages: map[string]time.Duration{"dial": 1200 * time.Microsecond, "run": time.Second},
		Report: &report.Report{
			Visit: "v1", Host: "web1", Time: noon(), Client: "1.2.3", OS: "linux", Arch: "arm64", Hostname: "web1.example.org",
			Statistics: []report.Statistic{{Name: "disk.used", Instance: "/var", Unit: "B", Kind: report.Gauge, Value: 12.5}},
			Failures:   []report.Failure{{Source: "disk", Reason: "no answer from /mnt"}},
		},
	}
	bad := Visit{
		ID: "v2", Sweep: noon(), Host: "web2", Address: "10.0.0.2:22", Started: noon(), Stage: "authentication",
		Kind: "login-failed", Error: "no key was accepted", Advice: "install the key",
	}
	save(t, s, good, bad)

	var visits []visitRow
	if err := s.db.Order("host").Find(&visits).Error; err != nil {
		t.Fatal(err)
	}
	for i := range visits {
		visits[i].Started = visits[i].Started.UTC()
		visits[i].Stages, visits[i].SourceFailures = compact(t, visits[i].Stages), compact(t, visits[i].SourceFailures)
	}
	want := []visitRow{{
		SweepTime: 1740830400000, Host: "web1", VisitID: "v1", Started: good.Started, Seconds: 1.5, Outcome: "ok",
		Address: "10.0.0.1:22", Sent: 1 << 40, Received: 2, Uploaded: true, Stages: `{"dial":0.0012,"run":1}`,
		SourceFailures: `{"disk":"no answer from /mnt"}`, Log: "a banner",
	}, {
		SweepTime: 1740830400000, Host: "web2", VisitID: "v2", Started: noon(), Outcome: "failed", Stage: "authentication",
		Kind: "login-failed", Error: "no key was accepted", Advice: "install the key", Address: "10.0.0.2:22",
		Stages: "{}", SourceFailures: "{}",
	}}
	if !reflect.DeepEqual(visits, want) {
		t.Errorf("visits are\n%+v, want\n%+v", visits, want)
	}

	h := readHost(t, s, "web1")
	sweep := int64(1740830400000)
	wantHost := hostRow{
		Name: "web1", GroupPath: "web/front", Address: "10.0.0.1:22", OS: "linux", Arch: "arm64", Hostname: "web1.example.org",
		Client: "1.2.3", Visited: good.Started, VisitSweep: sweep, VisitID: "v1", Succeeded: &good.Started, SucceededSweep: &sweep,
	}
	if !reflect.DeepEqual(h, wantHost) {
		t.Errorf("the host is\n%+v, want\n%+v", h, wantHost)
	}

	for _, view := range []string{"samples", "latest"} {
		var got struct {
			Host, Name, Instance, Unit, Kind string
			Value                            float64
		}
		if err := s.db.Table(view).Find(&got).Error; err != nil {
			t.Fatal(err)
		}
		if got.Host != "web1" || got.Name != "disk.used" || got.Instance != "/var" || got.Unit != "B" ||
			got.Kind != "gauge" || got.Value != 12.5 {
			t.Errorf("%s holds %+v", view, got)
		}
	}
}

func testSkipped(t *testing.T, x *target) {
	s := x.open(t)
	good := Visit{ID: "v1", Sweep: noon(), Host: "web1", Started: noon(), Report: &report.Report{OS: "linux"}}
	skipped := Visit{
		ID: "v2", Sweep: noon().Add(time.Minute), Host: "web1", Started: noon().Add(time.Minute), Skipped: true,
		Stage: "dial", Kind: "busy", Error: "the visit before still runs",
	}
	never := Visit{ID: "v3", Sweep: noon(), Host: "web2", Started: noon(), Skipped: true, Kind: "cancelled"}
	save(t, s, good, skipped, never)

	hosts, err := s.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(hosts) != 1 || hosts[0].Host != "web1" || hosts[0].Kind != "" || !hosts[0].Visited.Equal(noon()) {
		t.Errorf("hosts are %+v, want web1 alone, as its last visit left it", hosts)
	}
	var outcomes []string
	if err := s.db.Table("visits").Order("visit_id").Pluck("outcome", &outcomes).Error; err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(outcomes, []string{"ok", "skipped", "skipped"}) {
		t.Errorf("outcomes are %v", outcomes)
	}
}

func testSourceFailures(t *testing.T, x *target) {
	s := x.open(t)
	save(t, s, Visit{ID: "v1", Sweep: noon(), Host: "web1", Started: noon(), Report: &report.Report{Failures: []report.Failure{
		{Source: "disk", Reason: "/mnt: no answer"}, {Source: "cpu", Reason: "odd"}, {Source: "disk", Reason: "/srv: no answer"},
	}}})
	var failures string
	if err := s.db.Table("visits").Pluck("source_failures", &failures).Error; err != nil {
		t.Fatal(err)
	}
	if got, want := compact(t, failures), `{"cpu":"odd","disk":"/mnt: no answer; /srv: no answer"}`; got != want {
		t.Errorf("source_failures is %s, want %s", got, want)
	}
}

// compact returns JSON without the spaces that an engine may have put in.
func compact(t *testing.T, text string) string {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return encode(v)
}

func readHost(t *testing.T, s *Store, name string) hostRow {
	t.Helper()
	var h hostRow
	if err := s.db.Where("name = ?", name).Take(&h).Error; err != nil {
		t.Fatal(err)
	}
	h.Visited = h.Visited.UTC()
	if h.Succeeded != nil {
		*h.Succeeded = h.Succeeded.UTC()
	}
	return h
}

func testRepeatedDelivery(t *testing.T, x *target) {
	o := x.fresh(t)
	s := openStore(t, o)
	visits := append(fleet(noon(), 20, 5), fleet(noon().Add(time.Minute), 20, 5)...)
	visits = append(visits, broken("dead", noon()))
	save(t, s, visits[:25]...)
	save(t, s, visits...)
	once := counts(t, s)
	want := map[string]int{"hosts": 21, "series": 100, "sweeps": 2, "visits": 41, "statistics": 200}
	if !maps.Equal(once, want) {
		t.Fatalf("stored %v, want %v", once, want)
	}
	sum := queryOne[float64](t, s, "SELECT sum(value) FROM statistics")

	for i := range visits { // the same again, altered: what is there stays
		if r := visits[i].Report; r != nil {
			r.Statistics[0].Value += 1000
		}
		visits[i].Error = "altered"
	}
	again := openStore(t, o) // a server that has restarted knows no series
	save(t, again, append(slices.Clone(visits), visits...)...)
	if got := counts(t, again); !maps.Equal(got, want) {
		t.Errorf("after the second delivery there are %v, want %v", got, want)
	}
	if got := queryOne[float64](t, again, "SELECT sum(value) FROM statistics"); got != sum {
		t.Errorf("values add up to %v, want %v as before", got, sum)
	}
	if n := count(t, again, "visits WHERE error = 'altered'"); n != 0 {
		t.Errorf("%d visits were overwritten", n)
	}
}

func testRollback(t *testing.T, x *target) {
	s := x.open(t)
	visits := fleet(noon(), 3, 2)
	b, err := newBatch(visits, s.known)
	if err != nil {
		t.Fatal(err)
	}
	crash := errors.New("crash before the commit")
	err = s.transact(t.Context(), "test", func(tx *gorm.DB) error {
		if _, err := s.write(tx, b); err != nil {
			return err
		}
		return crash
	})
	if !errors.Is(err, crash) {
		t.Fatalf("the error is %v, want %v", err, crash)
	}
	for table, n := range counts(t, s) {
		if n != 0 {
			t.Errorf("%d rows of %s have stayed", n, table)
		}
	}
	save(t, s, visits...)
	want := map[string]int{"hosts": 3, "series": 6, "sweeps": 1, "visits": 3, "statistics": 6}
	if got := counts(t, s); !maps.Equal(got, want) {
		t.Errorf("after another attempt there are %v, want %v", got, want)
	}
}

// testHostsForward delivers five visits of a host in many orders and groupings: the host must always look the same.
func testHostsForward(t *testing.T, x *target) {
	s := x.open(t)
	at := func(minute int) time.Time { return noon().Add(time.Duration(minute) * time.Minute) }
	random := rand.New(rand.NewPCG(1, 2))
	for round := range 10 {
		name := "host" + string(rune('a'+round))
		visits := []Visit{broken(name, at(0))}
		for minute, system := range []string{"first", "second", "third"} {
			v := one(name, at(minute+1), report.Statistic{Name: "uptime", Unit: "s", Value: float64(minute)})
			v.Report.OS, v.Groups = system, system
			visits = append(visits, v)
		}
		visits = append(visits, broken(name, at(4)))
		random.Shuffle(len(visits), func(i, j int) { visits[i], visits[j] = visits[j], visits[i] })
		cut := random.IntN(len(visits) + 1)
		save(t, s, visits[:cut]...)
		save(t, s, visits[cut:]...)

		h := readHost(t, s, name)
		if h.VisitSweep != at(4).UnixMilli() || !h.Visited.Equal(at(4).Add(time.Second)) || h.GroupPath != "" ||
			h.VisitID != visits[slices.IndexFunc(visits, func(v Visit) bool { return v.Sweep.Equal(at(4)) })].ID {
			t.Errorf("round %d: the last visit is %+v", round, h)
		}
		if h.SucceededSweep == nil || *h.SucceededSweep != at(3).UnixMilli() || h.OS != "third" ||
			!h.Succeeded.Equal(at(3).Add(time.Second)) {
			t.Errorf("round %d: the last success is %+v", round, h)
		}
	}
}

func testSweeps(t *testing.T, x *target) {
	s := x.open(t)
	sweep := Sweep{Time: noon(), Started: noon().Add(time.Second), Hosts: 10}
	ended := sweep
	ended.Ended, ended.Visited, ended.Failed = noon().Add(time.Minute), 10, 3

	save(t, s, fleet(noon(), 1, 1)...) // visits may come before their sweep
	if n := count(t, s, "samples"); n != 1 {
		t.Errorf("without SaveSweep samples has %d rows, want 1", n)
	}
	for i, step := range []struct{ save, want Sweep }{
		{sweep, sweep},
		{ended, ended},
		{sweep, ended}, // late
		{ended, ended},
	} {
		if err := s.SaveSweep(t.Context(), step.save); err != nil {
			t.Fatal(err)
		}
		var row sweepRow
		if err := s.db.Take(&row).Error; err != nil {
			t.Fatal(err)
		}
		got := Sweep{
			Time: time.UnixMilli(row.SweepTime).UTC(), Started: fromNullable(row.Started), Ended: fromNullable(row.Ended),
			Hosts: row.Hosts, Visited: row.Visited, Failed: row.Failed,
		}
		if got != step.want {
			t.Errorf("step %d: the sweep is %+v, want %+v", i, got, step.want)
		}
	}
	if got := queryOne[time.Time](t, s, "SELECT time FROM sweeps"); !got.Equal(noon()) {
		t.Errorf("sweeps.time is %v, want %v", got, noon())
	}
	save(t, s, one("host", noon().Add(123*time.Millisecond), report.Statistic{Name: "uptime", Unit: "s", Value: 1}))
	if n := count(t, s, "sweeps"); n != 2 {
		t.Errorf("two sweeps within a second are %d rows", n)
	}
	if err := s.SaveSweep(t.Context(), Sweep{}); err == nil || errors.Is(err, ErrUnavailable) {
		t.Errorf("a sweep without time: %v, want a permanent error", err)
	}
}

func testInvalidVisits(t *testing.T, x *target) {
	s := x.open(t)
	valid := broken("web1", noon())
	for name, spoil := range map[string]func(*Visit){
		"no id":         func(v *Visit) { v.ID = "" },
		"no host":       func(v *Visit) { v.Host = "" },
		"no sweep":      func(v *Visit) { v.Sweep = time.Time{} },
		"ancient sweep": func(v *Visit) { v.Sweep = time.Date(1066, 1, 1, 0, 0, 0, 0, time.UTC) },
		"distant sweep": func(v *Visit) { v.Sweep = time.Date(12025, 1, 1, 0, 0, 0, 0, time.UTC) },
		"distant visit": func(v *Visit) { v.Started = time.Date(12025, 1, 1, 0, 0, 0, 0, time.UTC) },
		"ancient visit": func(v *Visit) { v.Started = time.Date(1066, 1, 1, 0, 0, 0, 0, time.UTC) },
	} {
		v := valid
		spoil(&v)
		err := s.Save(t.Context(), []Visit{valid, v})
		if err == nil || errors.Is(err, ErrUnavailable) {
			t.Errorf("%s: %v, want a permanent error", name, err)
		} else if !strings.Contains(err.Error(), valid.ID) && !strings.Contains(err.Error(), valid.Host) {
			t.Errorf("%s: the error names neither visit nor host: %v", name, err)
		}
	}
	if n := count(t, s, "visits"); n != 0 {
		t.Errorf("%d visits of refused batches are stored", n)
	}
	save(t, s) // nothing is fine
	valid.Started = time.Time{}
	save(t, s, valid)
	if h := readHost(t, s, "web1"); !h.Visited.Equal(noon()) {
		t.Errorf("a visit without a time is at %v, want its sweep's", h.Visited)
	}
}

func testBigBatch(t *testing.T, x *target) {
	s := x.open(t)
	const hosts, each = 2000, 40
	save(t, s, fleet(noon(), hosts, each)...)
	want := map[string]int{"hosts": hosts, "series": hosts * each, "sweeps": 1, "visits": hosts, "statistics": hosts * each}
	if got := counts(t, s); !maps.Equal(got, want) {
		t.Errorf("stored %v, want %v", got, want)
	}
	// Σ over hosts i and statistics j of 1000 i + j
	sum := float64(1000*each*hosts*(hosts-1)/2 + hosts*each*(each-1)/2)
	if got := queryOne[float64](t, s, "SELECT sum(value) FROM latest"); got != sum {
		t.Errorf("values add up to %v, want %v", got, sum)
	}
}

func testLongLogs(t *testing.T, x *target) {
	s := x.open(t)
	visits := fleet(noon(), 260, 0) // 17 MB of logs as stored; MariaDB takes 16 MB in a statement
	for i := range visits {
		visits[i].Log = strings.Repeat("'é\\\n", 1<<15) // 160 kB; more than a column takes
	}
	save(t, s, visits...)
	longest := queryOne[int](t, s, "SELECT max(length(log)) FROM visits")
	if n := count(t, s, "visits"); n != 260 || longest > maxLog || longest < maxLog/2 {
		t.Errorf("%d visits are stored, the longest log has %d", n, longest)
	}
}

// testConcurrentSaves has eight servers, as it were, save overlapping visits in different orders, in two stores.
func testConcurrentSaves(t *testing.T, x *target) {
	o := x.fresh(t)
	stores := []*Store{openStore(t, o), openStore(t, o)}
	var visits []Visit
	for i := range 4 {
		visits = append(visits, fleet(noon().Add(time.Duration(i)*time.Minute), 40, 5)...)
	}
	var wg sync.WaitGroup
	for worker := range 8 {
		mine := slices.Clone(visits)
		random := rand.New(rand.NewPCG(7, uint64(worker)))
		random.Shuffle(len(mine), func(i, j int) { mine[i], mine[j] = mine[j], mine[i] })
		wg.Go(func() {
			for chunk := range slices.Chunk(mine, 40) {
				if err := stores[worker%2].Save(t.Context(), chunk); err != nil {
					t.Errorf("worker %d: %v", worker, err)
				}
			}
		})
	}
	wg.Wait()
	want := map[string]int{"hosts": 40, "series": 200, "sweeps": 4, "visits": 160, "statistics": 800}
	if got := counts(t, stores[0]); !maps.Equal(got, want) {
		t.Errorf("stored %v, want %v", got, want)
	}
	last := noon().Add(3 * time.Minute).UnixMilli()
	if n := count(t, stores[0], "hosts WHERE visit_sweep = succeeded_sweep AND visit_sweep = "+encode(last)); n != 40 {
		t.Errorf("%d of 40 hosts are at the last sweep", n)
	}
}

// testLockedRow has another program hold what Save needs to write, and let go when Save waits.
func testLockedRow(t *testing.T, x *target) {
	s := x.open(t)
	save(t, s, fleet(noon(), 1, 1)...)
	other, err := s.pool.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Exec("UPDATE hosts SET client = 'other'"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := s.Save(ctx, fleet(noon().Add(time.Minute), 1, 1)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("while the row is held: %v, want that the time is over", err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Save(t.Context(), fleet(noon().Add(time.Minute), 1, 1)) }()
	if err := other.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if n := count(t, s, "visits"); n != 2 {
		t.Errorf("%d visits are stored, want 2", n)
	}
}

func testCancelled(t *testing.T, x *target) {
	s := x.open(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, alertsErr := s.Alerts(ctx)
	_, statusErr := s.Status(ctx)
	_, openErr := Open(ctx, x.fresh(t))
	for call, err := range map[string]error{
		"Save": s.Save(ctx, fleet(noon(), 1, 1)), "SaveSweep": s.SaveSweep(ctx, Sweep{Time: noon()}),
		"SaveAlerts": s.SaveAlerts(ctx, []Alert{someAlert("a")}), "Alerts": alertsErr, "Status": statusErr, "Open": openErr,
	} {
		if !errors.Is(err, context.Canceled) || errors.Is(err, ErrUnavailable) {
			t.Errorf("%s: %v, want that it was cancelled", call, err)
		}
	}
}
