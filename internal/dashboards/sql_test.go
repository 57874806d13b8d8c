package main

import (
	"database/sql"
	"fmt"
	"math"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"muster/internal/report"
	"muster/internal/store"
	"muster/internal/testserver"
)

// evening is the end of the time shown; the sweeps are an hour apart.
func evening() time.Time { return time.Date(2025, 3, 1, 18, 0, 0, 0, time.UTC) }

const sweeps = 6

// fillDatabase stores a fleet: web1 and web2 are well, web2 fuller; flaky fails in the last sweep and in every other before
// it; gone was visited for the last time long before the time shown.
func fillDatabase(t *testing.T, s *store.Store) {
	t.Helper()
	for i := range sweeps {
		at := evening().Add(time.Duration(i-sweeps+1) * time.Hour)
		visits := []store.Visit{found("web1", at, float64(40+i)), found("web2", at, float64(85+i))}
		if i%2 == 1 {
			visits = append(visits, store.Visit{ID: fmt.Sprint("flaky", i), Sweep: at, Host: "flaky", Started: at, Took: 10 * time.Second,
				Stage: "dial", Kind: "timeout", Error: "no answer", Advice: "look whether it runs"})
		} else {
			visits = append(visits, found("flaky", at, 20))
		}
		save(t, s, at, visits)
	}
	past := evening().Add(-48 * time.Hour)
	save(t, s, past, []store.Visit{found("gone", past, 99)})
	alert := store.Alert{ID: "a", Host: "web2", Statistic: "disk.usage", Instance: "mount-a", Direction: "above", Unit: "%",
		Limit: "above 85%", State: "firing", Since: evening().Add(-time.Hour), Raised: evening().Add(-time.Hour), Value: 91, Updated: evening()}
	pending := alert
	pending.ID, pending.State, pending.Raised = "b", "pending", time.Time{}
	if err := s.SaveAlerts(t.Context(), []store.Alert{alert, pending}); err != nil {
		t.Fatal(err)
	}
}

func found(host string, at time.Time, seed float64) store.Visit {
	return store.Visit{ID: host + at.Format("15"), Sweep: at, Host: host, Started: at, Took: 500 * time.Millisecond,
		Report: &report.Report{OS: "linux", Arch: "amd64", Statistics: wholeReport(seed)}}
}

func save(t *testing.T, s *store.Store, at time.Time, visits []store.Visit) {
	t.Helper()
	if err := s.Save(t.Context(), visits); err != nil {
		t.Fatal(err)
	}
	if err := s.SaveSweep(t.Context(), store.Sweep{Time: at, Started: at, Ended: at.Add(time.Second), Hosts: len(visits)}); err != nil {
		t.Fatal(err)
	}
}

// engine opens the databases of a dialect: the options for the store, and the driver's name and source for a test.
type engine struct {
	options        store.Options
	driver, source string
}

func engines() map[string]func(t *testing.T) engine {
	return map[string]func(t *testing.T) engine{
		"sqlite": func(t *testing.T) engine {
			path := filepath.Join(t.TempDir(), "muster.db")
			return engine{store.Options{URL: "sqlite:" + path}, "sqlite", path}
		},
		"mysql": func(t *testing.T) engine {
			d := testserver.MariaDB(t)
			c := mysql.NewConfig()
			c.User, c.Passwd, c.Net, c.Addr, c.DBName = "muster", d.Password, "tcp", d.Address(), "muster"
			c.ParseTime = true
			return engine{store.Options{URL: d.URL, Password: d.Password}, "mysql", c.FormatDSN()}
		},
		"postgres": func(t *testing.T) engine {
			d := testserver.PostgreSQL(t)
			u := url.URL{Scheme: "postgres", User: url.UserPassword("muster", d.Password), Host: d.Address(), Path: "/muster"}
			return engine{store.Options{URL: d.URL, Password: d.Password}, "pgx", u.String()}
		},
	}
}

// TestDatabaseDashboards: every query of every panel has an answer on its engine, and all engines have the same.
func TestDatabaseDashboards(t *testing.T) {
	open := engines()
	answers := make(map[string]map[string][][]string) // by panel and query, then by engine
	for _, d := range dialects() {
		t.Run(d.name, func(t *testing.T) {
			e := open[d.name](t)
			s, err := store.Open(t.Context(), e.options)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = s.Close() })
			fillDatabase(t, s)
			db, err := sql.Open(e.driver, e.source)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = db.Close() })
			dashboard := database(d)
			for i := range dashboard.Panels {
				for _, q := range dashboard.Panels[i].Targets {
					name := title(&dashboard.Panels[i], q)
					t.Run(name, func(t *testing.T) {
						got := run(t, db, &dashboard.Panels[i], q)
						if answers[name] == nil {
							answers[name] = make(map[string][][]string)
						}
						answers[name][d.name] = got
					})
				}
			}
			if hosts := rows(t, db, fmt.Sprint(dashboard.Templating.List[1].Query)); len(hosts) != 5 {
				t.Errorf("the hosts to choose from are %v", hosts)
			}
			if d.name == "sqlite" {
				checkPlans(t, db, &dashboard)
			}
		})
	}
	for name, byEngine := range answers {
		for engine, got := range byEngine {
			if want := byEngine["sqlite"]; want != nil && !slices.EqualFunc(got, want, slices.Equal) {
				t.Errorf("%s: %s has %v, SQLite %v", name, engine, got, want)
			}
		}
	}
	checkKnown(t, answers)
}

// run asks a panel's query and looks at the form of the answer.
func run(t *testing.T, db *sql.DB, p *panel, q target) [][]string {
	t.Helper()
	got := rows(t, db, text(q))
	columns, answer := got[0], got[1:]
	if len(answer) == 0 {
		t.Fatalf("there is no answer to\n%s", text(q))
	}
	switch p.Type {
	case "timeseries":
		if !slices.Equal(columns, []string{"time", "metric", "value"}) {
			t.Errorf("the columns are %q", columns)
		}
		for _, row := range answer {
			at, err := strconv.ParseInt(row[0], 10, 64)
			if err != nil || at < evening().Add(-6*time.Hour).Unix() || at > evening().Unix() || at%60 != 0 {
				t.Errorf("the time is %q", row[0])
			}
		}
	case "stat":
		if len(answer) != 1 || !slices.Equal(columns, []string{"value"}) {
			t.Errorf("it is not one value: %q %v", columns, answer)
		}
	case "bargauge":
		if !slices.Equal(columns, []string{"host", "value"}) {
			t.Errorf("the columns are %q", columns)
		}
	}
	return answer
}

// rows returns the columns' names, and the cells as text that is the same on all engines.
func rows(t *testing.T, db *sql.DB, query string) [][]string {
	t.Helper()
	query = fill(t, query, map[string]string{
		"$__from": strconv.FormatInt(evening().Add(-6*time.Hour).UnixMilli(), 10), "$__to": strconv.FormatInt(evening().UnixMilli(), 10),
		"$__interval_ms": "60000", "${host:sqlstring}": hostOf(query),
	})
	found, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatalf("%s\n%v", query, err)
	}
	defer found.Close()
	columns, err := found.Columns()
	if err != nil {
		t.Fatal(err)
	}
	all := [][]string{columns}
	for found.Next() {
		cells, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range cells {
			into[i] = &cells[i]
		}
		if err := found.Scan(into...); err != nil {
			t.Fatal(err)
		}
		row := make([]string, len(cells))
		for i, c := range cells {
			row[i] = cell(c)
		}
		all = append(all, row)
	}
	if err := found.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// hostOf returns the host to be shown, as Grafana quotes it: one that has failed where failures are asked for.
func hostOf(query string) string {
	if strings.Contains(query, "<> 'ok'") {
		return "'flaky'"
	}
	return "'web1'"
}

func cell(v any) string {
	switch v := v.(type) {
	case time.Time:
		return v.UTC().Format(time.RFC3339)
	case []byte:
		return cell(string(v))
	case string:
		if f, err := strconv.ParseFloat(v, 64); err == nil {
			return cell(f)
		}
		return v
	case float64:
		return strconv.FormatFloat(math.Round(v*1e6)/1e6, 'f', -1, 64)
	}
	return fmt.Sprint(v)
}

// last returns a value of the last sweep of a host whose first had the seed.
func last(seed float64, name, instance string) string {
	for _, s := range wholeReport(seed + sweeps - 1) {
		if s.Name == name && s.Instance == instance {
			return cell(s.Value)
		}
	}
	return "none"
}

// checkKnown compares some answers with what is known of the fleet.
func checkKnown(t *testing.T, answers map[string]map[string][][]string) {
	t.Helper()
	find := func(title string) [][]string {
		for name, byEngine := range answers {
			if strings.Contains(name, " "+title+" A") {
				return byEngine["sqlite"]
			}
		}
		t.Fatalf("there is no panel %q", title)
		return nil
	}
	for title, want := range map[string]string{
		"Hosts up": "[[2]]", "Hosts down": "[[1]]", "Visits failed": "[[3]]", "Alerts firing": "[[1]]", "Age of the data": "[[0]]",
		"Busiest CPUs":      "[[web2 90] [web1 45] [flaky 20]]", // and not gone, which had 99
		"Disks nearly full": fmt.Sprintf("[[web2 mount-b %s] [web2 mount-a %s]]", last(85, "disk.usage", "mount-b"), last(85, "disk.usage", "mount-a")),
		"Hosts that fail":   "[[flaky dial timeout no answer look whether it runs 2025-03-01T17:00:00Z]]",
		"Uptime":            "[[" + last(40, "uptime", "") + "]]",
		"Visited":           "[[0]]",
	} {
		if got := fmt.Sprint(find(title)); got != want {
			t.Errorf("%s: %s, want %s", title, got, want)
		}
	}
	if got := len(find("File systems")); got != 2*sweeps {
		t.Errorf("the file systems have %d points, want %d", got, 2*sweeps)
	}
	if got := len(find("Its failures")); got != sweeps/2 {
		t.Errorf("%d failures, want %d", got, sweeps/2)
	}
}

// checkPlans sees to it that a host's past is looked up by keys: the sweeps of the time shown, and one value of each.
func checkPlans(t *testing.T, db *sql.DB, d *dashboard) {
	t.Helper()
	checked := 0
	for i := range d.Panels {
		for _, q := range d.Panels[i].Targets {
			if !strings.Contains(q.QueryText, "CROSS JOIN") {
				continue
			}
			checked++
			var plan strings.Builder
			for _, row := range rows(t, db, "EXPLAIN QUERY PLAN "+q.QueryText)[1:] {
				plan.WriteString(row[3] + "\n")
			}
			if !strings.Contains(plan.String(), "SEARCH w USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)") ||
				!strings.Contains(plan.String(), " USING PRIMARY KEY (sweep_time=? AND ") || strings.Contains(plan.String(), "SCAN") {
				t.Errorf("%s is planned as\n%s", title(&d.Panels[i], q), plan.String())
			}
		}
	}
	if checked < 5 {
		t.Errorf("only %d were looked at", checked)
	}
}
