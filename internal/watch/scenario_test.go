package watch

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"muster/internal/alert"
	"muster/internal/config"
	"muster/internal/entry"
	"muster/internal/events"
	"muster/internal/queue"
	"muster/internal/report"
	"muster/internal/store"
)

// scenario is what happens to a fleet: the entries of a queue, and the configurations that hold from a group of it on.
type scenario struct {
	groups  [][]queue.Entry
	configs []configuration
	last    [][]queue.Entry          // at the end: a sweep that says all that there is to say of every host
	mails   map[string][]string      // by host: the records that are mailed where that is configured
	late    map[string]time.Duration // how long the letters of a receiver wait for the mail server
}

type configuration struct {
	from  uint64 // the first group that is read under it
	hosts []config.Host
	now   time.Time // when it began
}

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// fleet draws a configuration of a few hosts.
func fleet(r *rand.Rand) []config.Host {
	memory, disk, failed := 80.0, 90.0, 0.0
	all := []string{"a@example.org", "b@example.org", "c@example.org"}
	var hosts []config.Host
	for i := range 6 {
		if chance(r, 0.15) {
			continue
		}
		h := config.Host{Name: fmt.Sprint("h", i), Groups: []string{"g"}}
		for _, limit := range []config.Limit{
			{Statistic: "memory.usage", Unit: "%", Above: &memory, For: time.Duration(r.IntN(2)) * 40 * time.Second},
			{Statistic: "disk.usage", Unit: "%", Above: &disk},
			{Statistic: alert.VisitFailed, Unit: "1", Above: &failed},
		} {
			if chance(r, 0.85) {
				h.Limits = append(h.Limits, limit)
			}
		}
		for _, to := range all {
			if chance(r, 0.5) {
				h.Mail = append(h.Mail, to)
			}
		}
		if chance(r, 0.7) {
			h.EventLimits = append(h.EventLimits, config.EventLimit{
				Records: config.Records{Channel: "Security", Filter: report.Filter{Events: report.Events{{First: 4625, Last: 4625}}}}, Above: r.IntN(4),
				For: time.Duration(1+r.IntN(3)) * 30 * time.Second,
			})
		}
		if chance(r, 0.3) {
			h.EventLimits = append(h.EventLimits, config.EventLimit{Records: config.Records{Channel: "journal"}, Above: 3, For: time.Minute})
		}
		if chance(r, 0.3) {
			h.EventLimits = append(h.EventLimits, config.EventLimit{
				Records: config.Records{Channel: "journal", Logon: events.Failed}, Above: r.IntN(3), For: time.Minute,
			})
		}
		if chance(r, 0.7) {
			h.MailRecords = append(h.MailRecords, config.Records{
				Channel: "security", Filter: report.Filter{Events: report.Events{{First: 1102, Last: 1102}}},
			})
		}
		hosts = append(hosts, h)
	}
	return hosts
}

// drawn is a scenario that is being drawn.
type drawn struct {
	t       testing.TB
	r       *rand.Rand
	now     time.Time
	entries []queue.Entry
	logs    map[string]*entry.Logs // by host: what came last
	mails   map[string][]string    // by host: the records that are mailed where that is configured
}

func (d *drawn) add(e queue.Entry) { d.entries = append(d.entries, e) }

// tick returns the next moment.
func (d *drawn) tick() time.Time {
	d.now = d.now.Add(time.Duration(1+d.r.IntN(9)) * time.Second)
	return d.now
}

// visit adds a visit that finds trouble as often as it is told. With clear it is one that says all that there is to say.
func (d *drawn) visit(host string, sweep time.Time, trouble float64, clear bool) {
	at := d.tick()
	v := &entry.Visit{ID: fmt.Sprint(host, at.Unix()), Host: host, Sweep: sweep, Started: at}
	if !clear {
		d.records(host, v.ID, sweep)
	}
	value := func(limit float64) float64 {
		if chance(d.r, trouble) {
			return limit + 1 + float64(d.r.IntN(9))
		}
		return float64(d.r.IntN(50))
	}
	switch {
	case !clear && chance(d.r, trouble/5):
		v.Skipped, v.Stage, v.Kind, v.Error = true, "dial", "cancelled", "cancelled"
	case !clear && chance(d.r, trouble/4):
		v.Stage, v.Kind, v.Error, v.Advice = "dial", "refused", fmt.Sprint("refused ", d.r.IntN(3)), "start sshd"
	default:
		v.Report = &report.Report{Visit: v.ID, Host: host, Statistics: []report.Statistic{
			{Name: "memory.usage", Unit: "%", Kind: report.Gauge, Value: value(80)},
			{Name: "disk.usage", Instance: "/", Unit: "%", Kind: report.Gauge, Value: value(90)},
		}}
		if clear || chance(d.r, 0.6) {
			v.Report.Statistics = append(v.Report.Statistics,
				report.Statistic{Name: "disk.usage", Instance: "/data", Unit: "%", Kind: report.Gauge, Value: value(90)})
		}
		if !clear && chance(d.r, trouble/5) {
			v.Report.Failures = []report.Failure{{Source: "disks", Reason: "did not answer"}}
		}
	}
	d.add(visitEntry(d.t, v))
}

// sweep is one that is under way.
type sweep struct {
	time time.Time
	left []string
}

func (d *drawn) end(s sweep, trouble float64) {
	e := &entry.Sweep{Time: s.time, Started: s.time, Ended: d.tick(), Hosts: 6, Visited: 6}
	for _, c := range []entry.Condition{{Name: DatabaseAway, Unit: "s"}, {Name: DeadLetters, Unit: "1"}} {
		if chance(d.r, trouble/2) {
			c.Value, c.Text = 100, "because"
		}
		e.Conditions = append(e.Conditions, c)
	}
	d.add(sweepEntry(d.t, e))
}

// sweeps adds sweeps that overlap, of visits that are clear or not.
func (d *drawn) sweeps(n int, trouble float64, clear bool) {
	var open []sweep
	for n > 0 || len(open) > 0 {
		if n > 0 && (len(open) == 0 || chance(d.r, 0.1)) {
			s := sweep{time: d.tick(), left: []string{"h0", "h1", "h2", "h3", "h4", "h5"}}
			d.r.Shuffle(len(s.left), func(i, j int) { s.left[i], s.left[j] = s.left[j], s.left[i] })
			d.add(sweepEntry(d.t, &entry.Sweep{Time: s.time, Started: s.time, Hosts: 6}))
			open = append(open, s)
			n--
			continue
		}
		i := d.r.IntN(len(open))
		s := &open[i]
		switch {
		case len(s.left) == 0:
			d.end(*s, trouble)
			open = slices.Delete(open, i, i+1)
		case !clear && chance(d.r, 0.02):
			d.add(queue.Entry{Kind: entry.KindVisit, ID: "damaged", Data: []byte{1, 200, 3}})
		default:
			d.visit(s.left[0], s.time, trouble, clear)
			s.left = s.left[1:]
		}
	}
}

// draw makes a scenario.
func draw(t testing.TB, r *rand.Rand) *scenario {
	d := &drawn{t: t, r: r, now: noon, logs: make(map[string]*entry.Logs), mails: make(map[string][]string)}
	s := &scenario{late: make(map[string]time.Duration), mails: d.mails}
	for _, to := range []string{"a@example.org", "b@example.org", "c@example.org", "all@example.org"} {
		s.late[to] = time.Duration(r.IntN(4)) * time.Minute
	}
	phases := 1 + r.IntN(3)
	for range phases {
		s.configs = append(s.configs, configuration{from: uint64(len(s.groups) + 1), hosts: fleet(r), now: d.now})
		d.sweeps(2+r.IntN(3), 0.4, false)
		s.groups = append(s.groups, d.cut()...)
	}
	d.now = noon.Add(20 * time.Hour)
	d.sweeps(1, 0.4, true)
	s.last = d.cut()
	return s
}

// cut returns what was added, in groups.
func (d *drawn) cut() (groups [][]queue.Entry) {
	for len(d.entries) > 0 {
		n := min(1+d.r.IntN(4), len(d.entries))
		groups = append(groups, d.entries[:n:n])
		d.entries = d.entries[n:]
	}
	return groups
}

// outcome is what a scenario came to.
type outcome struct {
	told  map[string]map[string]int
	state string
	rows  map[string]store.Alert
	steps int
}

// manner is how a scenario is run through.
type manner struct {
	r       *rand.Rand            // draws how much is read at once, and when the database is written to
	fate    func(step int) outage // of all processes, by the number of steps so far
	restart bool                  // clean ones, now and then
	free    bool                  // mails leave, and configurations begin, at any time
}

// run runs a scenario to its end.
func (s *scenario) run(t testing.TB, m manner) outcome {
	t.Helper()
	w := newWorld()
	w.waits = func(to string, made, now time.Time) bool { return now.Before(made.Add(s.late[to])) }
	if m.free {
		w.waits = func(string, time.Time, time.Time) bool { return chance(m.r, 0.3) }
	}
	for _, g := range s.groups {
		w.add(slices.Clone(g)...)
	}
	steps := 0
	last := 0 // the configuration of the process before
	for lives := 0; ; lives++ {
		if lives > 10000 {
			t.Fatal("it does not get anywhere")
		}
		c, until := s.configs[last], uint64(len(w.groups))
		for i, next := range s.configs {
			switch {
			case next.from <= w.done.Sequence+1, m.free && chance(m.r, 0.2):
				c, last = next, max(i, last)
			case !m.free:
				until = min(until, next.from-1)
			}
		}
		p := w.process(func(int) outage {
			steps++
			if m.fate == nil {
				return none
			}
			return m.fate(steps)
		})
		if !s.live(t, p, m, c, until) && w.done.Sequence == uint64(len(w.groups)) {
			break
		}
	}
	return s.outcome(t, w, steps)
}

// live is the life of one process, up to a group; true if it was killed.
func (s *scenario) live(t testing.TB, p *process, m manner, c configuration, until uint64) bool {
	return lives(func() {
		w := p.watch(t, c.hosts, c.now)
		for p.next <= until {
			n := min(1+m.r.IntN(8), int(until-p.next)+1)
			if !w.work(t.Context(), p.read(n)) {
				t.Fatal("work is given up")
			}
			if chance(m.r, 0.5) {
				projectAll(w, p)
			}
			if m.restart && chance(m.r, 0.1) {
				return
			}
		}
		projectAll(w, p)
	})
}

// outcome returns what is in the world after the last sweep, at which nothing happens to the process, and some in which
// nothing happens at all, so that all that waits comes to its end.
func (s *scenario) outcome(t testing.TB, w *world, steps int) outcome {
	w.waits = func(string, time.Time, time.Time) bool { return false }
	for _, g := range s.last {
		w.add(slices.Clone(g)...)
	}
	for i := range 4 {
		at := noon.Add(time.Duration(24+i) * time.Hour)
		w.add(sweepEntry(t, &entry.Sweep{Time: at, Ended: at, Hosts: 6}))
	}
	c := s.configs[len(s.configs)-1]
	p := w.process(nil)
	last := p.watch(t, c.hosts, c.now)
	for entries := p.read(1); len(entries) > 0; entries = p.read(1) {
		if !last.work(t.Context(), entries) {
			t.Fatal("work is given up")
		}
		projectAll(last, p)
	}
	var state []string
	for _, alerts := range last.state.hosts() {
		for _, e := range alerts {
			text, err := json.Marshal(map[string]any{"alert": e.Alert, "told": slices.Sorted(maps.Keys(e.Told))})
			if err != nil {
				t.Fatal(err)
			}
			state = append(state, string(text))
		}
	}
	for host, logs := range last.state.allLogs() {
		text, err := json.Marshal(logs)
		if err != nil {
			t.Fatal(err)
		}
		state = append(state, host+": "+string(text))
	}
	slices.Sort(state)
	rows := maps.Clone(w.rows)
	for id, a := range rows {
		rows[id] = settled(a)
	}
	return outcome{told: w.told, state: strings.Join(state, "\n"), rows: rows, steps: steps}
}

// settled returns a row without what a killed process may forget: how the value and the words of an alert moved while its
// phase did not change. The next visit that sees them says them again; after its end there is none.
func settled(a store.Alert) store.Alert {
	if a.State != string(alert.Resolved) {
		return a
	}
	a.Limit = ""
	switch a.Text {
	case alert.NoLongerReported, alert.LimitRemoved, alert.HostRemoved:
		a.Value = 0
	default:
		a.Text = ""
	}
	return a
}

// differs says in what two outcomes differ; empty: in nothing.
func (o outcome) differs(other outcome) string {
	var all []string
	for _, to := range slices.Sorted(maps.Keys(o.told)) {
		for n, times := range o.told[to] {
			if got := other.told[to][n]; got != times {
				all = append(all, fmt.Sprintf("%s is told %d times of %s, want %d", to, got, n, times))
			}
		}
		for n, times := range other.told[to] {
			if o.told[to][n] == 0 {
				all = append(all, fmt.Sprintf("%s is told %d times of %s, want never", to, times, n))
			}
		}
	}
	if len(o.told) != len(other.told) {
		all = append(all, fmt.Sprintf("%d receivers are told, want %d", len(other.told), len(o.told)))
	}
	if o.state != other.state {
		all = append(all, fmt.Sprintf("the state is\n%s\nwant\n%s", other.state, o.state))
	}
	for id, row := range o.rows {
		if other.rows[id] != row {
			all = append(all, fmt.Sprintf("the row is\n%+v\nwant\n%+v", other.rows[id], row))
		}
	}
	if len(o.rows) != len(other.rows) {
		all = append(all, fmt.Sprintf("%d rows, want %d", len(other.rows), len(o.rows)))
	}
	return strings.Join(all, "\n")
}
