package store

import (
	"maps"
	"testing"
	"time"

	"gorm.io/gorm"

	"muster/internal/report"
)

func testStatus(t *testing.T, x *target) {
	s := x.open(t)
	if hosts, err := s.Status(t.Context()); err != nil || len(hosts) != 0 {
		t.Fatalf("a new database has hosts %v, %v", hosts, err)
	}
	visits := fleet(noon(), 2, 3)
	visits[0].Report.Statistics = append(visits[0].Report.Statistics,
		report.Statistic{Name: "disk.usage", Instance: "/", Unit: "%", Value: 50})
	save(t, s, append(visits, broken("dead", noon()))...)
	if got, err := s.StatusWithInstances(t.Context()); err != nil || len(got) != 3 || len(got[1].Instances) != 1 ||
		got[1].Instances[0] != (InstanceValue{"disk.usage", "/", "%", 50}) || len(got[1].Latest) != 3 {
		t.Errorf("with instances: %+v, %v", got, err)
	}
	if got, err := s.Status(t.Context()); err != nil || len(got) != 3 || got[1].Instances != nil {
		t.Errorf("without instances: %+v, %v", got, err)
	}
	later := fleet(noon().Add(time.Minute), 2, 2) // stat.2 is no longer reported
	later[0].Report.Statistics[0].Value = 42
	save(t, s, later[0], broken("host0001", noon().Add(time.Minute)))
	on, off := someAlert("on"), someAlert("off")
	on.Host, off.Host = "host0001", "host0001"
	on.State, on.Raised = "firing", noon()
	if err := s.SaveAlerts(t.Context(), []Alert{on, off}); err != nil {
		t.Fatal(err)
	}

	got, err := s.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	failed := HostStatus{Stage: "dial", Kind: "refused", Error: "connection refused", Advice: "start sshd"}
	want := []HostStatus{
		{Host: "dead", Visited: noon().Add(time.Second), Stage: failed.Stage, Kind: failed.Kind, Error: failed.Error, Advice: failed.Advice},
		{
			Host: "host0000", Groups: "web/front", Address: "host0000:22", Visited: noon().Add(61 * time.Second),
			Succeeded: noon().Add(61 * time.Second), Latest: map[string]float64{"stat.0": 42, "stat.1": 1},
		},
		{
			Host: "host0001", Visited: noon().Add(61 * time.Second), Succeeded: noon().Add(time.Second),
			Stage: failed.Stage, Kind: failed.Kind, Error: failed.Error, Advice: failed.Advice,
			Latest: map[string]float64{"stat.0": 1000, "stat.1": 1001, "stat.2": 1002}, Alerts: []Alert{on},
		},
	}
	if len(got) != len(want) {
		t.Fatalf("there are %d hosts, want %d", len(got), len(want))
	}
	for i := range want {
		g, w := got[i], want[i]
		if g.Host != w.Host || g.Groups != w.Groups || g.Address != w.Address || !g.Visited.Equal(w.Visited) ||
			!g.Succeeded.Equal(w.Succeeded) || g.Stage != w.Stage || g.Kind != w.Kind || g.Error != w.Error || g.Advice != w.Advice {
			t.Errorf("the status is\n%+v, want\n%+v", g, w)
		}
		if !maps.Equal(g.Latest, w.Latest) {
			t.Errorf("%s: the latest values are %v, want %v", g.Host, g.Latest, w.Latest)
		}
		if len(g.Alerts) != len(w.Alerts) || len(w.Alerts) == 1 && g.Alerts[0] != w.Alerts[0] {
			t.Errorf("%s: the alerts are %v, want %v", g.Host, g.Alerts, w.Alerts)
		}
	}

	// Old visits may be removed; their host stays.
	if err := s.db.Exec("DELETE FROM visits").Error; err != nil {
		t.Fatal(err)
	}
	if got, err = s.Status(t.Context()); err != nil || len(got) != 3 || got[0].Error != "" {
		t.Errorf("without visits: %+v, %v", got, err)
	}
}

func testStatusQueries(t *testing.T, x *target) {
	s := x.open(t)
	queries := 0
	count := func(*gorm.DB) { queries++ }
	if err := s.db.Callback().Query().Register("test:count", count); err != nil {
		t.Fatal(err)
	}
	if err := s.db.Callback().Row().Register("test:count", count); err != nil {
		t.Fatal(err)
	}
	save(t, s, fleet(noon(), 100, 3)...)
	queries = 0
	hosts, err := s.Status(t.Context())
	if err != nil || len(hosts) != 100 {
		t.Fatalf("%d hosts, %v", len(hosts), err)
	}
	if queries != 3 {
		t.Errorf("the status of 100 hosts took %d queries, want 3", queries)
	}
}
