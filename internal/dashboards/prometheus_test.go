package main

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"muster/internal/failure"
	"muster/internal/health"
	"muster/internal/report"
	"muster/internal/testserver"
	"muster/internal/visit"
)

// fleet is a server that visits three hosts whenever it is told to, one of them in vain; whatever counts goes up each time.
type fleet struct {
	*health.Health
	mu     sync.Mutex
	sweeps int
	began  time.Time
}

// Facts has something of everything.
func (f *fleet) Facts(context.Context) (health.Facts, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := uint64(f.sweeps)
	return health.Facts{
		Queue: health.Queue{Bytes: 1000, Limit: 5000, Refused: n, DeadLetters: 1, Consumers: []health.Consumer{
			{Name: "store", Waiting: 3, Bytes: 600, Oldest: f.began}, {Name: "alert"}}},
		Database:    health.Database{AwaySince: f.began, Rows: 100 * n, Batches: n},
		Mail:        health.Mail{Sent: n, Retried: n, Refused: n, Waiting: 1, Oldest: f.began},
		Alerts:      health.Alerts{Firing: 2, Pending: 1},
		Connections: 4,
	}, nil
}

func (f *fleet) sweep(t *testing.T) {
	f.mu.Lock()
	f.sweeps++
	n := f.sweeps
	f.mu.Unlock()
	s := visit.Sweep{Time: time.Now(), Hosts: 3}
	f.SweepStarted(t.Context(), s)
	for i, host := range []string{"web1", "web2", "lost"} {
		v := &visit.Visit{Host: host, Sweep: s.Time, Took: time.Duration(i+1) * 10 * time.Millisecond, Sent: 10, Received: 20, Uploaded: true,
			Stages: []visit.Timing{{Stage: failure.Dial, Took: time.Millisecond}}}
		if host == "lost" {
			v.Failure = failure.New(failure.Dial, failure.Refused, errors.New("connection refused"))
		} else {
			v.Report = &report.Report{OS: "linux", Arch: "amd64", Client: "1", Statistics: wholeReport(float64(80 + 10*i + n))}
		}
		f.Visited(t.Context(), v)
	}
	_ = f.SweepEnded(t.Context(), s)
}

// serveFleet runs the server until the test ends, and returns where.
func serveFleet(t *testing.T, f *fleet) string {
	t.Helper()
	f.Health = health.New(health.Options{Source: f, Version: "1.2.3", Interval: time.Minute})
	f.SetHosts([]health.Host{{Name: "web1", Group: "web"}, {Name: "web2", Group: "web"}, {Name: "lost"}})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- f.Serve(ctx, l) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

// TestPrometheusDashboard: a real Prometheus scrapes both pages, and every query of the dashboard has an answer.
func TestPrometheusDashboard(t *testing.T) {
	f := &fleet{began: time.Now().Add(-time.Hour)}
	address := serveFleet(t, f)
	p := testserver.Prometheus(t,
		testserver.PrometheusTarget{Job: "muster", Address: address, Path: "/metrics"},
		testserver.PrometheusTarget{Job: "muster-hosts", Address: address, Path: "/metrics/hosts"})
	values := map[string]string{"$__rate_interval": "1m", "$__range": "1m", "$host": "web1"}
	numbers := func(series []testserver.Series) bool {
		f.sweep(t) // so that what counts goes on
		return len(series) > 0 && !slices.ContainsFunc(series, func(s testserver.Series) bool { return s.Value == "NaN" })
	}
	// Both pages, twice at least, with what only a second visit can show.
	p.Await(t, `rate(system_disk_io_bytes_total{host="web1"}[1m]) > 0 and on () rate(muster_visits_total[1m]) > 0`, numbers)

	d := prometheus()
	for i := range d.Panels {
		for _, q := range d.Panels[i].Targets {
			t.Run(title(&d.Panels[i], q), func(t *testing.T) {
				series := p.Await(t, fill(t, q.Expr, values), numbers)
				for _, label := range labelsOf(q.LegendFormat) {
					for _, s := range series {
						if s.Labels[label] == "" {
							t.Errorf("the legend %q lacks its label: %v", q.LegendFormat, s.Labels)
						}
					}
				}
			})
		}
	}
	if problems := p.Problems(t); len(problems) > 0 {
		t.Errorf("%q", problems)
	}
	checkAnswers(t, p)
}

// labelsOf returns the labels in a legend: {{host}}.
func labelsOf(legend string) []string {
	var all []string
	for part := range strings.SplitSeq(legend, "{{") {
		if label, _, ok := strings.Cut(part, "}}"); ok {
			all = append(all, label)
		}
	}
	return all
}

// checkAnswers compares some answers with what is known of the fleet.
func checkAnswers(t *testing.T, p *testserver.PrometheusServer) {
	for expression, want := range map[string]string{
		`sum(muster_hosts{state="up"})`:                                     "2",
		`sum(muster_hosts{state="down"})`:                                   "1",
		`muster_host_up{host="lost"}`:                                       "0",
		`count(system_cpu_time_seconds_total{host="web1"})`:                 "2",
		`count({host="lost"})`:                                              "3",
		`count(muster_host_info{host="web1",group="web",os="linux"})`:       "1",
		`scrape_samples_scraped{job="muster-hosts"} > bool 100`:             "1",
		`sum(muster_alerts{state="firing"})`:                                "2",
		`count(count by (job) (up == 1))`:                                   "2",
		`max(muster_database_away_seconds) > bool 3599`:                     "1",
		`count(system_filesystem_utilization_ratio{host="web1"} > 0.8) > 0`: "2",
	} {
		series := p.Query(t, expression)
		if len(series) != 1 || series[0].Value != want {
			t.Errorf("%s is %v, want %s", expression, series, want)
		}
	}
}
