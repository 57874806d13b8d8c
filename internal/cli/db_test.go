package cli

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"muster/internal/config"
	"muster/internal/report"
	"muster/internal/store"
	"muster/internal/testserver"
)

// onDatabases runs a test on each engine, with a configuration whose database has ten sweeps: seven of yesterday and
// before, a day apart, and three of the last minutes, each of two hosts with three statistics.
func onDatabases(t *testing.T, test func(t *testing.T, d *dbPlace)) {
	t.Run("sqlite", func(t *testing.T) {
		test(t, newDBPlace(t, "sqlite:"+filepath.Join(t.TempDir(), "m.db"), ""))
	})
	t.Run("mariadb", func(t *testing.T) {
		server := testserver.MariaDB(t)
		test(t, newDBPlace(t, server.URL, server.Password))
	})
	t.Run("postgres", func(t *testing.T) {
		server := testserver.PostgreSQL(t)
		test(t, newDBPlace(t, server.URL, server.Password))
	})
}

// dbPlace is a folder with a configuration and a database.
type dbPlace struct {
	url, password, config string
}

func newDBPlace(t *testing.T, url, password string) *dbPlace {
	t.Helper()
	d := &dbPlace{url: url, password: password}
	d.configure(t, "")
	return d
}

// configure writes the configuration, with more attributes of <database>.
func (d *dbPlace) configure(t *testing.T, attributes string) {
	t.Helper()
	folder := t.TempDir()
	secret := ""
	if d.password != "" {
		secret = `password="file:secret"`
		if err := os.WriteFile(filepath.Join(folder, "secret"), []byte(d.password), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d.config = filepath.Join(folder, "muster.xml")
	text := fmt.Sprintf(`<muster xmlns="%s"><server data="data"/><database url="%s" %s %s/></muster>`, config.Namespace, d.url, secret, attributes)
	if err := os.WriteFile(d.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// fill stores the sweeps.
func (d *dbPlace) fill(t *testing.T, now time.Time) {
	t.Helper()
	s, err := store.Open(t.Context(), store.Options{URL: d.url, Password: d.password, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	var visits []store.Visit
	for i := range 10 {
		at := now.Add(-time.Duration(i) * time.Minute)
		if i >= 3 {
			at = now.AddDate(0, 0, 2-i)
		}
		for _, host := range []string{"web1", "web2"} {
			r := &report.Report{Host: host, OS: "linux", Arch: "amd64"}
			for _, name := range []string{"cpu.usage", "memory.usage", "uptime"} {
				r.Statistics = append(r.Statistics, report.Statistic{Name: name, Unit: "1", Kind: report.Gauge, Value: 1})
			}
			visits = append(visits, store.Visit{ID: fmt.Sprint(host, i), Sweep: at, Host: host, Started: at, Report: r})
		}
	}
	if err := s.Save(t.Context(), visits); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// db runs muster db and fails the test if it does not end with the status.
func (d *dbPlace) db(t *testing.T, want int, args ...string) (stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	status := Main(append(append([]string{"db"}, args...), "-c", d.config), Env{Stdout: &out, Stderr: &errs})
	if status != want {
		t.Fatalf("muster db %s: status %d, want %d\n%s\n%s", strings.Join(args, " "), status, want, out.String(), errs.String())
	}
	if d.password != "" && strings.Contains(out.String()+errs.String(), d.password) {
		t.Errorf("muster db %s tells the password:\n%s\n%s", strings.Join(args, " "), out.String(), errs.String())
	}
	return out.String(), errs.String()
}

// contains compares texts without regard to how wide a table's columns are.
func contains(t *testing.T, text string, wanted ...string) {
	t.Helper()
	narrow := regexp.MustCompile(" +")
	for _, want := range wanted {
		if !strings.Contains(narrow.ReplaceAllString(text, " "), narrow.ReplaceAllString(want, " ")) {
			t.Errorf("there is no %q in\n%s", want, text)
		}
	}
}

func TestDB(t *testing.T) {
	onDatabases(t, func(t *testing.T, d *dbPlace) {
		// What is not there is not made by looking at it.
		for _, command := range []string{"status", "verify", "prune --keep 1d"} {
			_, stderr := d.db(t, 3, strings.Fields(command)...)
			contains(t, stderr, "database could not be used", "there is none", "muster run")
		}
		stdout, _ := d.db(t, 0, "migrate")
		contains(t, stdout, "migrated from version 0 to ")
		stdout, _ = d.db(t, 0, "migrate", "--json")
		var versions struct{ From, To int64 }
		if err := json.Unmarshal([]byte(stdout), &versions); err != nil || versions.From < 1 || versions.From != versions.To {
			t.Errorf("migrated again: %s", stdout)
		}

		// The last noon: no sweeps lie on both sides of a midnight, and what is days old is whatever the time is now.
		const day = 24 * time.Hour
		d.fill(t, time.Now().Add(-day/2).Truncate(day).Add(day/2))
		d.status(t)
		d.prune(t)
		d.backup(t)
		stdout, _ = d.db(t, 0, "verify")
		contains(t, stdout, "ok     every statistic has its series\n", "ok     every series has the id of its name\n")
	})
}

func (d *dbPlace) status(t *testing.T) {
	t.Helper()
	stdout, _ := d.db(t, 0, "status")
	contains(t, stdout, ", version ", "kept:    for ever", "a day\n", "statistics     60", "series          6", ", so far")
	stdout, _ = d.db(t, 0, "status", "--json", "--days", "3")
	var got struct {
		Version, Bytes int64
		Keep           *float64
		Tables         []struct {
			Table string
			Rows  int64
		}
		Days []struct{ Statistics int64 }
	}
	if err := json.Unmarshal([]byte(stdout), &got); err != nil {
		t.Fatal(err)
	}
	if got.Version < 1 || got.Bytes <= 0 || got.Keep != nil || len(got.Days) != 3 || len(got.Tables) < 8 || got.Tables[0].Rows != 60 {
		t.Errorf("the status is\n%s", stdout)
	}
	_, stderr := d.db(t, 2, "status", "--days", "0")
	contains(t, stderr, "--days must be from 1 to 366")
}

func (d *dbPlace) prune(t *testing.T) {
	t.Helper()
	_, stderr := d.db(t, 2, "prune")
	contains(t, stderr, `say --keep, or <database keep="400d"/>`)
	for keep, want := range map[string]string{"23h": "must be 1d at least", "long": "must be a duration"} {
		_, stderr = d.db(t, 2, "prune", "--keep", keep)
		contains(t, stderr, "--keep "+keep, want)
	}
	stdout, _ := d.db(t, 0, "prune", "--keep", "6d")
	contains(t, stdout, "deleted 18 rows from before ", ": 12 statistics, 4 visits, 2 sweeps, 0 alerts, 0 log records")
	d.configure(t, `keep="72h"`)
	stdout, _ = d.db(t, 0, "status")
	contains(t, stdout, "kept:    3d; what is older is deleted", "statistics    48")
	stdout, _ = d.db(t, 0, "prune", "--json")
	contains(t, stdout, `"statistics": 18`, `"visits": 6`, `"sweeps": 3`)
	stdout, _ = d.db(t, 0, "prune")
	contains(t, stdout, "deleted 0 rows")
	stdout, _ = d.db(t, 0, "status")
	contains(t, stdout, "; the oldest is deleted from ", " on, at a size of about ")
}

func (d *dbPlace) backup(t *testing.T) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "it's a copy.db")
	if d.password != "" {
		_, stderr := d.db(t, 2, "backup", file)
		contains(t, stderr, "only SQLite is backed up by muster", "  "+map[bool]string{true: "mysqldump --single-transaction --host=127.0.0.1 --port=",
			false: "pg_dump --format=custom --file="}[strings.HasPrefix(d.url, "m")], `it'\''s a copy.db'`)
		return
	}
	stdout, _ := d.db(t, 0, "backup", file)
	contains(t, stdout, "wrote "+file+": ")
	_, stderr := d.db(t, 2, "backup", file)
	contains(t, stderr, file+" exists and stays as it is")
	_, stderr = d.db(t, 3, "backup", filepath.Join(file, "below"))
	contains(t, stderr, "muster: ")
	info, err := os.Stat(file)
	if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	copied := newDBPlace(t, "sqlite:"+file, "")
	stdout, _ = copied.db(t, 0, "verify", "--json")
	contains(t, stdout, `"check": "the file is sound"`, `"problems": 0`)
	stdout, _ = copied.db(t, 0, "status")
	contains(t, stdout, "statistics    30")
}

func TestDBVerifyFinds(t *testing.T) {
	file := filepath.Join(t.TempDir(), "m.db")
	d := newDBPlace(t, "sqlite:"+file, "")
	d.fill(t, time.Now())
	pool, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = pool.Close() }()
	spoil := func(statement string) {
		t.Helper()
		if _, err := pool.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	spoil("UPDATE series SET instance = '/' || char(27) WHERE host = 'web1' AND name = 'uptime'")
	stdout, _ := d.db(t, 1, "verify")
	contains(t, stdout, "ok     every statistic has its series\n", "WRONG  every series has the id of its name: 1 problem\n",
		`is called uptime of "web1", instance "/\x1b"`, "what to do: ")
	stdout, _ = d.db(t, 1, "verify", "--json")
	contains(t, stdout, `"problems": 1`, `"advice": `)

	// An older version is refused by what would have to know its tables, and named by verify.
	spoil("DELETE FROM goose_db_version WHERE version_id > 0")
	for _, command := range []string{"status", "prune --keep 1d"} {
		_, stderr := d.db(t, 3, strings.Fields(command)...)
		contains(t, stderr, "has version 0, this program works with ", ": muster db migrate")
	}
	stdout, _ = d.db(t, 1, "verify")
	contains(t, stdout, "WRONG  the schema is of this program's version", "muster db migrate")
	d.db(t, 0, "backup", filepath.Join(t.TempDir(), "before.db"))
	spoil("INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, TRUE)")
	_, stderr := d.db(t, 3, "verify")
	contains(t, stderr, "newer version of this program")
}

func TestDumpCommand(t *testing.T) {
	for database, want := range map[string]string{
		"sqlite:/var/lib/m.db":                   "",
		"mysql://u@h:3307/n?tls=true":            "mysqldump --single-transaction --host=h --port=3307 --user=u --password n > 'a b'",
		"mysql://u@h/n":                          "mysqldump --single-transaction --host=h --user=u --password n > 'a b'",
		"mysql://o%27x@h/n%20m?socket=/run/m.so": `mysqldump --single-transaction --socket=/run/m.so --user='o'\''x' --password 'n m' > 'a b'`,
		"postgres://u@h/n?sslmode=verify-full":   "pg_dump --format=custom --file='a b' 'postgres://u@h/n?sslmode=verify-full'",
	} {
		if got := dumpCommand(database, "a b"); got != want {
			t.Errorf("%s: got %s, want %s", database, got, want)
		}
	}
}

func TestGrouped(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 12: "12", 123: "123", 1234: "1,234", 123456: "123,456", 1234567: "1,234,567", -1234: "-1,234", -123: "-123"} {
		if got := grouped(n); got != want {
			t.Errorf("%d is grouped as %s, not %s", n, got, want)
		}
	}
}

// TestDBStatusOfMuch prints estimates, and what is not known.
func TestDBStatusOfMuch(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s := dbStatus{
		place: "sqlite:m.db", version: 1, keep: 400 * 24 * time.Hour, now: now,
		usage: &store.Usage{
			Bytes: 3 << 30, Free: 1 << 30,
			Tables: []store.TableUsage{{Name: "statistics", Rows: 123456789, Estimated: true, Bytes: -1, Oldest: now.AddDate(-2, 0, 0), Newest: now}},
			Days:   []store.DayUsage{{Day: now.Truncate(24 * time.Hour), Sweeps: 720, Statistics: 1000000, Visits: 2000, Estimated: true}},
		},
		forecast: store.Forecast{RowsPerDay: 1200000, BytesPerDay: -1, Reached: now.AddDate(-1, 0, 0), Bytes: -1},
	}
	var out bytes.Buffer
	if err := s.print(&out); err != nil {
		t.Fatal(err)
	}
	contains(t, out.String(), "size:    3 GiB, of it 1 GiB free for what comes\n", "growth:  about 1,200,000 rows a day\n",
		"kept:    400d; what is older is deleted\n", "statistics  ~123,456,789     -  ", "2026-03-01, so far     720  ~1,000,000  ~2,000")
	encoded, err := json.Marshal(s.json())
	if err != nil {
		t.Fatal(err)
	}
	contains(t, string(encoded), `"bytes_per_day":null`, `"bytes_then":null`, `"estimated":true,"bytes":null`, `"keep":34560000`)
}
