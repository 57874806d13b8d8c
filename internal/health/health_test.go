package health

import (
	"encoding/json"
	"errors"
	"net/http"
	"os/exec"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"muster/internal/failure"
	"muster/internal/report"
	"muster/internal/testserver"
	"muster/internal/visit"
)

// busyFixture has a little of everything.
func busyFixture() *fixture {
	f := newFixture(Host{"web1", "web"}, Host{"web2", "web"}, Host{"db1", "db"}, Host{"new", "db"})
	uploaded := good("web1", statistic("cpu.usage", "", 12.5))
	uploaded.Uploaded = true
	f.sweep(3*time.Second, uploaded, bad("web2", failure.Dial, failure.Timeout), good("db1"),
		visit.Failed(visit.Host{Name: "new"}, noon(), failure.New(failure.Dial, failure.Busy, errors.New("busy"))))
	f.source.facts = Facts{
		Queue: Queue{Bytes: 5000, Limit: 1 << 30, Refused: 7, DeadLetters: 2, Consumers: []Consumer{
			{Name: "store", Waiting: 11, Bytes: 4000, Oldest: f.clock.Now().Add(-90 * time.Second)}, {Name: "alert"},
		}},
		Database:    Database{Rows: 1234, Batches: 56},
		Mail:        Mail{Sent: 3, Retried: 4, Refused: 1, Waiting: 2, Oldest: f.clock.Now().Add(-time.Minute)},
		Alerts:      Alerts{Firing: 5, Pending: 6},
		Logs:        Logs{Records: 70, Stored: 60, Behind: 8, Trouble: 9, Paused: true, Waiting: 10, Reason: "refused"},
		Connections: 8,
	}
	return f
}

func TestMetrics(t *testing.T) {
	f := busyFixture()
	page := get(t, f.Handler(), "/metrics")
	if page.code != http.StatusOK {
		t.Fatalf("it answers %d: %s", page.code, page.body)
	}
	expect(t, page.body, map[string]string{
		`muster_visits_total{outcome="ok"}`:                            "2",
		`muster_visits_total{outcome="failed"}`:                        "1",
		`muster_visits_total{outcome="skipped"}`:                       "1",
		`muster_visit_failures_total{kind="timeout",stage="dial"}`:     "1",
		`muster_visit_failures_total{kind="busy",stage="dial"}`:        "",
		`muster_visit_duration_seconds_count{outcome="ok"}`:            "2",
		`muster_visit_duration_seconds_sum{outcome="ok"}`:              "0.5",
		`muster_visit_duration_seconds_bucket{outcome="ok",le="0.1"}`:  "0",
		`muster_visit_duration_seconds_bucket{outcome="ok",le="0.25"}`: "2",
		`muster_visit_duration_seconds_count{outcome="failed"}`:        "1",
		`muster_visit_duration_seconds_count{outcome="skipped"}`:       "",
		`muster_visit_stage_duration_seconds_count{stage="dial"}`:      "3",
		`muster_visit_stage_duration_seconds_count{stage="run"}`:       "2",
		`muster_visit_stage_duration_seconds_count{stage="decode"}`:    "0",
		`muster_visit_bytes_total{direction="sent"}`:                   "200",
		`muster_visit_bytes_total{direction="received"}`:               "4000",
		`muster_client_uploads_total`:                                  "1",
		`muster_sweep_duration_seconds_count`:                          "1",
		`muster_sweep_duration_seconds_sum`:                            "3",
		`muster_sweep_last_end_timestamp_seconds`:                      "1.740830403e+09",
		`muster_sweep_interval_seconds`:                                "60",
		`muster_sweeps_running`:                                        "0",
		`muster_hosts{state="up"}`:                                     "2",
		`muster_hosts{state="down"}`:                                   "1",
		`muster_hosts{state="unknown"}`:                                "1",
		`muster_healthy`:                                               "1",
		`muster_scrape_success`:                                        "1",
		`muster_queue_waiting_messages{consumer="store"}`:              "11",
		`muster_queue_waiting_messages{consumer="alert"}`:              "0",
		`muster_queue_waiting_bytes{consumer="store"}`:                 "4000",
		`muster_queue_oldest_age_seconds{consumer="store"}`:            "90",
		`muster_queue_oldest_age_seconds{consumer="alert"}`:            "0",
		`muster_queue_size_bytes`:                                      "5000",
		`muster_queue_limit_bytes`:                                     "1.073741824e+09",
		`muster_queue_refusing`:                                        "0",
		`muster_queue_refused_total`:                                   "7",
		`muster_queue_dead_letters`:                                    "2",
		`muster_database_available`:                                    "1",
		`muster_database_away_seconds`:                                 "0",
		`muster_database_rows_inserted_total`:                          "1234",
		`muster_database_batches_total`:                                "56",
		`muster_mails_sent_total`:                                      "3",
		`muster_mails_retried_total`:                                   "4",
		`muster_mails_refused_total`:                                   "1",
		`muster_mails_waiting`:                                         "2",
		`muster_mail_oldest_age_seconds`:                               "60",
		`muster_alerts{state="firing"}`:                                "5",
		`muster_alerts{state="pending"}`:                               "6",
		`muster_ssh_connections`:                                       "8",
		`muster_log_records_total`:                                     "70",
		`muster_log_records_stored_total`:                              "60",
		`muster_log_hosts_behind`:                                      "8",
		`muster_log_channels_in_trouble`:                               "9",
		`muster_log_paused`:                                            "1",
		`muster_log_hosts_waiting`:                                     "10",
		`muster_host_series_left_out`:                                  "0",
	})
	for _, name := range []string{"go_goroutines ", "process_open_fds ", "muster_build_info{"} {
		if !strings.Contains(page.body, "\n"+name) {
			t.Errorf("there is no %s", name)
		}
	}
	if f.source.asked != 1 {
		t.Errorf("the source was asked %d times for one page", f.source.asked)
	}
}

// TestMetricsWithoutFacts: what does not depend on queue and outbox is there all the same.
func TestMetricsWithoutFacts(t *testing.T) {
	f := busyFixture()
	f.source.err = errors.New("the queue is closed")
	page := get(t, f.Handler(), "/metrics")
	if page.code != http.StatusOK {
		t.Fatalf("it answers %d: %s", page.code, page.body)
	}
	expect(t, page.body, map[string]string{
		`muster_scrape_success`:                 "0",
		`muster_healthy`:                        "0",
		`muster_visits_total{outcome="ok"}`:     "2",
		`muster_queue_size_bytes`:               "",
		`muster_database_available`:             "",
		`muster_alerts{state="firing"}`:         "",
		`muster_hosts{state="up"}`:              "2",
		`muster_sweep_interval_seconds`:         "60",
		`muster_visits_total{outcome="failed"}`: "1",
	})
}

// TestPromtool: Prometheus' own tool has nothing to say against our names and help.
func TestPromtool(t *testing.T) {
	promtool := testserver.Need(t, "promtool", "prometheus")
	f := busyFixture()
	f.sweep(time.Second, good("web1", append(fullReport(1),
		report.Statistic{Name: "acme.queue", Unit: "1", Kind: report.Gauge, Value: 3},
		report.Statistic{Name: "acme.jobs", Unit: "1", Kind: report.Counter, Value: 4})...))
	for _, path := range []string{"/metrics", "/metrics/hosts"} {
		cmd := exec.Command(promtool, "check", "metrics")
		cmd.Stdin = strings.NewReader(get(t, f.Handler(), path).body)
		out, _ := cmd.CombinedOutput()
		for line := range strings.Lines(string(out)) {
			line = strings.TrimSpace(line)
			otel := strings.HasPrefix(line, "system_") &&
				strings.HasSuffix(line, `non-histogram and non-summary metrics should not have "_count" suffix`)
			if line != "" && !otel { // but for OpenTelemetry's names
				t.Errorf("%s: %s", path, line)
			}
		}
	}
}

func TestHealthy(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(f *fixture)
		want   string // what the page says; "ok": healthy
	}{
		{"new", func(*fixture) {}, "ok"},
		{"no sweep ever", func(f *fixture) { f.clock.pass(5*time.Minute + time.Second) },
			"sweep: none has ended for 5m1s, since the server was started"},
		{"swept", func(f *fixture) {
			f.clock.pass(4 * time.Minute)
			f.sweep(time.Second)
			f.clock.pass(5 * time.Minute)
		}, "ok"},
		{"swept long ago", func(f *fixture) {
			f.sweep(time.Second)
			f.clock.pass(time.Hour)
		}, "sweep: none has ended for 1h0m0s, since the last one did"},
		{"sweep that does not end", func(f *fixture) {
			f.SweepStarted(t.Context(), visit.Sweep{Time: noon()})
			f.clock.pass(6 * time.Minute)
		}, "sweep: none has ended for 6m0s, since the server was started"},
		{"database", func(f *fixture) {
			f.source.facts.Database = Database{AwaySince: noon(), Reason: "connection\nrefused"}
		}, "database: away since 2025-03-01T12:00:00Z: connection refused"},
		{"queue", func(f *fixture) { f.source.facts.Queue.Refusing = "4 GiB wait" },
			"queue: new reports are refused: 4 GiB wait"},
		{"facts", func(f *fixture) { f.source.err = errors.New("closed") },
			"server: queue and outbox do not answer: closed"},
		{"backlog", func(f *fixture) {
			f.source.facts = Facts{Queue: Queue{DeadLetters: 3, Refused: 9}, Mail: Mail{Waiting: 3}, Alerts: Alerts{Firing: 5}}
		}, "ok"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture()
			c.change(f)
			page := get(t, f.Handler(), "/healthz")
			code := http.StatusServiceUnavailable
			if c.want == "ok" {
				code = http.StatusOK
			}
			if page.code != code || page.body != c.want+"\n" {
				t.Errorf("it answers %d %q", page.code, page.body)
			}
			page = get(t, f.Handler(), "/healthz", "Accept", "application/json")
			var said struct {
				Healthy  bool
				Problems []Problem
			}
			if err := json.Unmarshal([]byte(page.body), &said); err != nil {
				t.Fatal(err)
			}
			if page.code != code || said.Healthy != (c.want == "ok") || len(said.Problems) != map[bool]int{true: 0, false: 1}[said.Healthy] {
				t.Errorf("in JSON it answers %d %s", page.code, page.body)
			}
		})
	}
}

func TestLate(t *testing.T) {
	for _, c := range []struct{ interval, late, want time.Duration }{
		{0, 0, 0}, {time.Minute, 0, 5 * time.Minute}, {time.Hour, 0, 3 * time.Hour}, {time.Minute, time.Second, time.Second},
	} {
		h := New(Options{Source: &stand{}, Interval: c.interval, Late: c.late})
		if late := h.schedule.Load().late; late != c.want {
			t.Errorf("interval %s, late %s: it is %s, want %s", c.interval, c.late, late, c.want)
		}
	}
	f := newFixture()
	f.SetSchedule(0, 0)
	f.clock.pass(1000 * time.Hour)
	if s := f.Status(t.Context()); !s.Healthy {
		t.Errorf("without a schedule it is unwell: %v", s.Problems)
	}
}

// TestStatus: what /status says is what Status returned, and says all.
func TestStatus(t *testing.T) {
	f := busyFixture()
	f.SweepStarted(t.Context(), visit.Sweep{Time: f.clock.Now(), Hosts: 4})
	page := get(t, f.Handler(), "/status")
	if page.code != http.StatusOK || page.header.Get("Content-Type") != "application/json" {
		t.Fatalf("it answers %d %v", page.code, page.header)
	}
	var got Status
	if err := json.Unmarshal([]byte(page.body), &got); err != nil {
		t.Fatal(err)
	}
	end := noon().Add(3 * time.Second)
	facts := f.source.facts
	want := Status{
		Healthy: true, Problems: []Problem{}, Version: "1.2.3", Started: noon(), Time: end, Interval: 60,
		Running: []Sweep{{Time: end, Started: end, Hosts: 4}},
		Sweep: &Sweep{Time: noon(), Started: noon(), Ended: end, Seconds: 3, Hosts: 4, Succeeded: 2, Failed: 1,
			Skipped: 1},
		Hosts: Hosts{Up: 2, Down: 1, Unknown: 1}, Facts: &facts,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// TestSweepsOverlap: a sweep that takes long does not hide the next.
func TestSweepsOverlap(t *testing.T) {
	f := newFixture(Host{"a", ""}, Host{"b", ""})
	first, second := visit.Sweep{Time: noon(), Hosts: 2}, visit.Sweep{Time: noon().Add(time.Minute), Hosts: 1}
	f.SweepStarted(t.Context(), first)
	f.SweepStarted(t.Context(), second)
	slow, quick := bad("a", failure.Run, failure.Timeout), good("b")
	slow.Sweep, quick.Sweep = first.Time, second.Time
	f.Visited(t.Context(), quick)
	_ = f.SweepEnded(t.Context(), second)
	s := f.Status(t.Context())
	if len(s.Running) != 1 || s.Sweep == nil || s.Sweep.Succeeded != 1 || s.Sweep.Failed != 0 {
		t.Errorf("after the second: %+v", s)
	}
	f.Visited(t.Context(), slow)
	_ = f.SweepEnded(t.Context(), first)
	_ = f.SweepEnded(t.Context(), first)
	if s = f.Status(t.Context()); len(s.Running) != 0 || s.Sweep.Failed != 1 || s.Sweep.Succeeded != 0 {
		t.Errorf("after both: %+v", s)
	}
	expect(t, get(t, f.Handler(), "/metrics").body, map[string]string{"muster_sweep_duration_seconds_count": "2"})
}

// TestConcurrency: visits, scrapes and new configurations at once; the race detector watches.
func TestConcurrency(t *testing.T) {
	hosts := manyHosts(50)
	f := newFixture(hosts...)
	var all sync.WaitGroup
	s := visit.Sweep{Time: noon(), Hosts: len(hosts)}
	f.SweepStarted(t.Context(), s)
	for i, h := range hosts {
		all.Go(func() {
			v := good(h.Name, fullReport(float64(i))...)
			v.Sweep = s.Time
			f.Visited(t.Context(), v)
		})
		if i%10 == 0 {
			all.Go(func() { f.SetHosts(hosts) })
			all.Go(func() { f.Status(t.Context()) })
		}
	}
	for range maxScrapes {
		all.Go(func() { get(t, f.Handler(), "/metrics/hosts") })
		all.Go(func() { get(t, f.Handler(), "/metrics") })
	}
	all.Wait()
	_ = f.SweepEnded(t.Context(), s)
	if got := f.Status(t.Context()); got.Hosts.Up != 50 || got.Sweep.Succeeded != 50 {
		t.Errorf("got %+v", got)
	}
}
