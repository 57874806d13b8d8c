package store

import (
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"muster/internal/report"
)

// books are two days of a fleet whose every value is known: a sweep every ten minutes, the last one five minutes ago, so
// that "a day ago" and "an hour ago" are well between two sweeps.
//
//   - web1 … web100, or as many as there are, always succeed.
//   - flaky fails in the last sweep and every fourth before it.
//   - dead has never been reached.
//   - gone was last visited, successfully, thirty hours ago.
//   - old1 and old2 were visited in the first sweep, with a full disk and in vain, and then removed.
type books struct {
	now    time.Time
	sweeps []time.Time // the oldest first
	hosts  int         // web1 …: ten at least, that a query can leave some out
}

const bookSweeps = 2 * 24 * 6

func newBooks(now time.Time, hosts int) *books {
	b := &books{now: now.Truncate(time.Second), hosts: hosts}
	for i := range bookSweeps {
		b.sweeps = append(b.sweeps, b.now.Add(-5*time.Minute-time.Duration(bookSweeps-1-i)*10*time.Minute))
	}
	return b
}

// cpu is the CPU usage of web<host> in a sweep.
func cpu(host, sweep int) float64 { return float64(host)/2 + float64(sweep%7) }

// disk is the usage of /var on web<host> in a sweep: web1 is the fullest, and all grow.
func disk(host, sweep int) float64 { return 90 - 4*float64(host) + float64(sweep)/float64(100*host) }

// back says how many sweeps before the last one a sweep was.
func back(sweep int) int { return bookSweeps - 1 - sweep }

func (b *books) write(t *testing.T, s *Store) {
	t.Helper()
	for i, at := range b.sweeps {
		visits := make([]Visit, 0, b.hosts+3)
		for host := 1; host <= b.hosts; host++ {
			visits = append(visits, b.web(host, i))
		}
		dead := broken("dead", at)
		dead.Stage, dead.Kind, dead.Error, dead.Advice = "dial", "timeout", "no answer", "check the address"
		dead.Took = 10 * time.Second
		visits = append(visits, dead)
		if flaky := one("flaky", at, report.Statistic{Name: "uptime", Unit: "s", Kind: report.Gauge, Value: 5}); back(i)%4 != 0 {
			flaky.Report.OS, flaky.Report.Arch = "freebsd", "arm64"
			flaky.Report.Failures = []report.Failure{{Source: "temperature", Reason: "no sensor"}}
			visits = append(visits, flaky)
		} else {
			visits = append(visits, broken("flaky", at))
		}
		if back(i) >= 180 {
			visits = append(visits, one("gone", at, report.Statistic{Name: "uptime", Unit: "s", Kind: report.Gauge, Value: 5}))
		}
		if i == 0 {
			old := b.web(1, i)
			old.Host, old.ID, old.Report.OS = "old1", "old1", "plan9"
			old.Report.Failures = []report.Failure{{Source: "temperature", Reason: "no sensor"}}
			visits = append(visits, old, broken("old2", at))
		}
		save(t, s, visits...)
		if i == 0 {
			b.remove(t, s)
		}
		sweep := Sweep{Time: at, Started: at, Ended: at.Add(1500 * time.Millisecond), Hosts: 102, Visited: 102, Failed: 2}
		if err := s.SaveSweep(t.Context(), sweep); err != nil {
			t.Fatal(err)
		}
	}
	b.writeLogs(t, s)
	alerts := []Alert{someAlert("later"), someAlert("earlier"), someAlert("pending")}
	alerts[0].State, alerts[0].Since, alerts[0].Statistic, alerts[0].Instance = "firing", noon().Add(time.Hour), "disk.usage", "/var"
	alerts[1].State = "firing"
	if err := s.SaveAlerts(t.Context(), alerts); err != nil {
		t.Fatal(err)
	}
	if s.engine.name == "postgres" { // what autovacuum does sooner or later
		if err := s.db.Exec("ANALYZE").Error; err != nil {
			t.Fatal(err)
		}
	}
}

// remove marks the old hosts as removed.
func (b *books) remove(t *testing.T, s *Store) {
	t.Helper()
	names := []string{"dead", "flaky", "gone"}
	for host := 1; host <= b.hosts; host++ {
		names = append(names, fmt.Sprintf("web%d", host))
	}
	if err := s.SetHosts(t.Context(), names, b.now); err != nil {
		t.Fatal(err)
	}
}

func (b *books) web(host, sweep int) Visit {
	at := b.sweeps[sweep]
	v := one(fmt.Sprintf("web%d", host), at, report.Statistic{Name: "cpu.usage", Unit: "%", Kind: report.Gauge, Value: cpu(host, sweep)})
	v.Groups = "web"
	v.Took = time.Duration(host) * time.Millisecond
	v.Stages = map[string]time.Duration{"dial": time.Duration(host) * 100 * time.Microsecond, "run": time.Duration(host) * 500 * time.Microsecond}
	v.Report.Statistics = append(v.Report.Statistics,
		report.Statistic{Name: "memory.usage", Unit: "%", Kind: report.Gauge, Value: 33},
		report.Statistic{Name: "uptime", Unit: "s", Kind: report.Gauge, Value: float64(600 * sweep)},
		report.Statistic{Name: "load.1", Unit: "1", Kind: report.Gauge, Value: 0.5},
		report.Statistic{Name: "disk.usage", Instance: "/", Unit: "%", Kind: report.Gauge, Value: 10},
		report.Statistic{Name: "disk.usage", Instance: "/var", Unit: "%", Kind: report.Gauge, Value: disk(host, sweep)},
	)
	return v
}

// answer is what a query of the docs must give. keyed: it must look statistics up by their key.
type answer struct {
	rows  [][]string
	keyed bool
}

// answers returns what the queries of the docs must give, by their titles.
// writeLogs saves what sshd has logged: failed logons of the last day and one of before, and one that was accepted.
func (b *books) writeLogs(t *testing.T, s *Store) {
	t.Helper()
	id := int64(0)
	line := func(host string, ago time.Duration, message string) {
		id++
		at := b.now.Add(-ago)
		saveLogs(t, s, Logs{Visit: "v", Sweep: at, Host: host, Read: at, Channels: []report.Logs{{
			Channel: "file:/var/log/auth.log", Epoch: 1, Next: report.Cursor{Epoch: 1, Record: id},
			Records: []report.Record{{ID: id, Time: at, Source: "sshd", Computer: host, Message: message, Raw: message}},
		}}})
	}
	for i := range 5 {
		line(fmt.Sprint("web", 1+i%2), time.Duration(i+1)*time.Hour, "Failed password for root from 203.0.113.7 port 4242 ssh2")
	}
	line("web1", time.Hour, "Failed password for invalid user admin from 198.51.100.2 port 4242 ssh2")
	line("web1", 30*time.Hour, "Failed password for ann from 10.0.0.1 port 4242 ssh2")
	line("web1", time.Hour, "Accepted publickey for ann from 10.0.0.1 port 4242 ssh2")
}

func (b *books) answers() map[string]answer {
	last := bookSweeps - 1
	flakyOK := instant(b.sweeps[last-1].Add(time.Second))
	goneOK := instant(b.sweeps[last-180].Add(time.Second))
	day := func(sweep int) bool { return b.sweeps[sweep].After(b.now.Add(-24 * time.Hour)) }
	deadFails, flakyFails := 0, 0
	for i := range b.sweeps {
		if day(i) {
			deadFails++
			if back(i)%4 == 0 {
				flakyFails++
			}
		}
	}
	return map[string]answer{
		"Who failed to log in, over the whole fleet": {rows: [][]string{
			{"root", "203.0.113.7", "5", "2", instant(b.now.Add(-time.Hour))}, {"admin", "198.51.100.2", "1", "1", instant(b.now.Add(-time.Hour))},
		}},
		"Disks above 80%": {keyed: true, rows: [][]string{
			{"web1", "/var", number(disk(1, last))}, {"web2", "/var", number(disk(2, last))},
		}},
		"Busiest CPUs now": {keyed: true, rows: b.busiest(last)},
		"Everything about one host": {keyed: true, rows: [][]string{
			{"cpu.usage", "", number(cpu(1, last)), "%"},
			{"disk.usage", "/", "10", "%"},
			{"disk.usage", "/var", number(disk(1, last)), "%"},
			{"load.1", "", "0.5", "1"},
			{"memory.usage", "", "33", "%"},
			{"uptime", "", number(float64(600 * last)), "s"},
		}},
		"One statistic of one host over the last day": {keyed: true, rows: b.oneDay(day)},
		"Averages by the hour":                        {keyed: true, rows: b.hourly(day)},
		"Disks that grew most in a day":               {rows: b.grown(day, last)},
		"Alerts that are firing": {rows: [][]string{
			{"web1", "cpu.usage", "", "above 90% for 5m", "95.5", "2025-03-01 12:00:00"},
			{"web1", "disk.usage", "/var", "above 90% for 5m", "95.5", "2025-03-01 13:00:00"},
		}},
		"Failures of the last day by kind": {rows: [][]string{
			{"timeout", strconv.Itoa(deadFails), "1"}, {"refused", strconv.Itoa(flakyFails), "1"},
		}},
		"Hosts that fail now, and what to do": {rows: [][]string{
			{"dead", "dial", "timeout", "no answer", "check the address", "NULL"},
			{"flaky", "dial", "refused", "connection refused", "start sshd", flakyOK},
		}},
		"Hosts not seen for a day": {rows: [][]string{
			{"dead", "", "", "NULL"}, {"gone", "", "", goneOK},
		}},
		"Worst hosts of the last day": {rows: [][]string{
			{"dead", strconv.Itoa(deadFails)}, {"flaky", strconv.Itoa(flakyFails)},
		}},
		"Slowest visits of the last hour, and where the time went": {rows: [][]string{
			{"dead", "10", "NULL", "NULL"}, {"dead", "10", "NULL", "NULL"}, {"dead", "10", "NULL", "NULL"},
		}},
		"Statistics that could not be read": {},
		"How long sweeps take": {rows: [][]string{
			{instant(b.sweeps[last]), "102", "2", "1.5"},
			{instant(b.sweeps[last-1]), "102", "2", "1.5"},
			{instant(b.sweeps[last-2]), "102", "2", "1.5"},
		}},
		"What the fleet is made of": {rows: [][]string{
			{"linux", "amd64", strconv.Itoa(b.hosts + 1)}, {"", "", "1"}, {"freebsd", "arm64", "1"},
		}},
		"Size of the database, in bytes": {rows: [][]string{{">0"}}},
		"Growth: values stored a day":    {rows: b.growth()},
	}
}

func (b *books) busiest(last int) [][]string {
	var rows [][]string
	for host := b.hosts; host > b.hosts-10; host-- {
		rows = append(rows, []string{fmt.Sprintf("web%d", host), number(cpu(host, last))})
	}
	return rows
}

func (b *books) oneDay(day func(int) bool) [][]string {
	var rows [][]string
	for i, at := range b.sweeps {
		if day(i) {
			rows = append(rows, []string{instant(at), number(cpu(1, i))})
		}
	}
	return rows
}

func (b *books) hourly(day func(int) bool) [][]string {
	var hours []string
	values := make(map[string][]float64)
	for i, at := range b.sweeps {
		if !day(i) {
			continue
		}
		hour := at.Format("2006-01-02 15:00")
		if !slices.Contains(hours, hour) {
			hours = append(hours, hour)
		}
		values[hour] = append(values[hour], cpu(1, i))
	}
	var rows [][]string
	for _, hour := range hours {
		sum := 0.0
		for _, v := range values[hour] {
			sum += v
		}
		rows = append(rows, []string{hour, number(sum / float64(len(values[hour]))), number(slices.Max(values[hour]))})
	}
	return rows
}

func (b *books) grown(day func(int) bool, last int) [][]string {
	first := 0
	for !day(first) {
		first++
	}
	var rows [][]string
	for host := 1; host <= 5; host++ {
		rows = append(rows, []string{fmt.Sprintf("web%d", host), "/var", number(disk(host, last) - disk(host, first))})
	}
	return rows
}

func (b *books) growth() [][]string {
	var rows [][]string
	for i, at := range b.sweeps {
		n := 6 * b.hosts
		if i == 0 {
			n += 6 // of old1
		}
		if back(i)%4 != 0 {
			n++
		}
		if back(i) >= 180 {
			n++
		}
		day := at.Format(time.DateOnly)
		if len(rows) == 0 || rows[len(rows)-1][0] != day {
			rows = append(rows, []string{day, "0"})
		}
		sum, _ := strconv.Atoi(rows[len(rows)-1][1])
		rows[len(rows)-1][1] = strconv.Itoa(sum + n)
	}
	return rows
}
