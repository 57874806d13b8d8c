package report

import (
	"fmt"
	"math"
	"reflect"
	"testing"
	"time"
)

// typical returns a report like that of a server with six file systems and three network interfaces: about 100
// statistics, 10 kB.
func typical() *Report {
	r := &Report{
		Visit:    "01J9ZK3T5V8Q",
		Host:     "web1",
		Time:     time.Date(2026, 3, 14, 15, 9, 26, 535897932, time.UTC),
		Client:   "1.4.0",
		OS:       "linux",
		Arch:     "amd64",
		Hostname: "web1.example.org",
		Failures: []Failure{{Source: "disk", Reason: `statfs "/mnt/nfs" <dead>: timed out after 2s & given up`}},
	}
	modes := []string{"user", "system", "idle", "nice", "iowait", "irq", "softirq", "steal"}
	instances := map[string][]string{
		"mode":      modes,
		"mount":     {"/", "/boot", "/home", "/srv", "/tmp", "/var"},
		"device":    {"sda", "sdb"},
		"interface": {"lo", "eth0", "eth1"},
		"sensor":    {"cpu", "board"},
	}
	n := 0
	for _, d := range Catalogue() {
		if d.Source == "server" {
			continue
		}
		names := instances[d.Instance]
		if d.Instance == "" {
			names = []string{""}
		}
		for _, instance := range names {
			n++
			value := float64(n*n) * 7919
			if d.Unit == "%" {
				value = float64(n) / 3
			}
			r.Statistics = append(r.Statistics, Statistic{d.Name, instance, d.Unit, d.Kind, value})
		}
	}
	return r
}

// awkward is a report that has one of everything that is hard to write.
func awkward() *Report {
	r := typical()
	r.Statistics = []Statistic{
		{"disk.usage", `C:\a "b" <c> & 'd'>`, "%", Gauge, 0.1},
		{"disk.usage", "/Zürich/東京/\U0001F600", "%", Gauge, 1e300},
		{"custom.thing", "", "1", Gauge, -5e-324},
		{"custom.thing", " both ends ", "1", Gauge, math.MaxFloat64},
		{"custom.other", "]]>", "furlong/fortnight", Counter, 123456789012345680},
		{"disk.read.rate", "sda", "B/s", Gauge, 1e-7},
	}
	r.Time = time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)
	return r
}

func marshal(t testing.TB, r *Report) []byte {
	t.Helper()
	document, err := r.Marshal()
	if err != nil {
		t.Fatalf("marshal: %v", err)
	}
	return document
}

// same fails the test where two reports differ; no list and an empty one do not.
func same(t testing.TB, got, want *Report) {
	t.Helper()
	g, w := *got, *want
	for _, r := range []*Report{&g, &w} {
		r.Statistics = append([]Statistic{}, r.Statistics...)
		r.Failures = append([]Failure{}, r.Failures...)
		r.Logs = append([]Logs{}, r.Logs...)
	}
	if !g.Time.Equal(w.Time) {
		t.Errorf("time %v, want %v", g.Time, w.Time)
	}
	g.Time, w.Time = time.Time{}, time.Time{}
	if !reflect.DeepEqual(g, w) {
		t.Errorf("got  %s\nwant %s", show(&g), show(&w))
	}
}

func show(r *Report) string { return fmt.Sprintf("%+v", *r) }
