package store

import (
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
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
