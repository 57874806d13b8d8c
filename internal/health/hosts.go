package health

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unique"

	"muster/internal/report"
	"muster/internal/visit"
)

// Bounds of what one host may have on the page of hosts. An honest one has some hundred series, and some kilobytes.
const (
	maxSeries = 1000
	maxText   = 64 << 10 // bytes of instances, names and units
)

// fleet holds the last visit to each host. Readers and visits do not wait for each other.
type fleet struct {
	mu    sync.Mutex // held by set
	table atomic.Pointer[table]
}

// table is immutable but for what the hosts' last points to.
type table struct {
	hosts  []host
	byName map[string]int
}

type host struct {
	Host
	labels string // rendered: host="web1",group="web"
	last   *atomic.Pointer[latest]
}

// latest is what the last visit to a host said. It is immutable.
type latest struct {
	at               time.Time // when it ended
	took             time.Duration
	up               bool
	os, arch, client unique.Handle[string] // if it is up
	values           []value               // ordered by place
	others           []other
	leftOut          int
}

// value is a statistic of the catalogue.
type value struct {
	number   float64
	instance unique.Handle[string] // hosts have most of theirs in common
	place    int
}

// other is a statistic that the catalogue does not have.
type other struct {
	number               float64
	name, instance, unit unique.Handle[string]
	counter              bool
}

// set replaces the hosts. What is known of those that stay, stays.
func (f *fleet) set(hosts []Host) {
	f.mu.Lock()
	defer f.mu.Unlock()
	old := f.table.Load()
	next := &table{hosts: make([]host, 0, len(hosts)), byName: make(map[string]int, len(hosts))}
	for _, h := range hosts {
		if _, ok := next.byName[h.Name]; ok {
			continue
		}
		last := &atomic.Pointer[latest]{}
		if known := old.find(h.Name); known != nil {
			last = known.last
		}
		next.byName[h.Name] = len(next.hosts)
		labels := `host="` + escape(h.Name) + `",group="` + escape(h.Group) + `"`
		next.hosts = append(next.hosts, host{Host: h, labels: labels, last: last})
	}
	f.table.Store(next)
}

// find returns a host, or nil.
func (t *table) find(name string) *host {
	if t == nil {
		return nil
	}
	if i, ok := t.byName[name]; ok {
		return &t.hosts[i]
	}
	return nil
}

// visited keeps what a visit says of its host.
func (f *fleet) visited(v *visit.Visit, now time.Time) {
	h := f.table.Load().find(v.Host)
	if h == nil {
		return
	}
	l := &latest{at: now, took: v.Took}
	if v.Report != nil {
		l.up = true
		l.os, l.arch, l.client = unique.Make(v.Report.OS), unique.Make(v.Report.Arch), unique.Make(v.Report.Client)
		l.keep(v.Report.Statistics)
	}
	h.last.Store(l)
}

// count counts the hosts by their state. What was visited before oldest is unknown.
func (f *fleet) count(oldest time.Time) Hosts {
	var n Hosts
	t := f.table.Load()
	if t == nil {
		return n
	}
	for i := range t.hosts {
		switch l := t.hosts[i].last.Load(); {
		case l == nil || l.at.Before(oldest):
			n.Unknown++
		case l.up:
			n.Up++
			n.LeftOut += l.leftOut
		default:
			n.Down++
		}
	}
	return n
}

// keep takes over a report's statistics: first those of the catalogue, then the others, as many as the bounds allow.
func (l *latest) keep(statistics []report.Statistic) {
	places := theLayout()
	text := 0
	fits := func(bytes int) bool {
		if len(l.values)+len(l.others) == maxSeries || text+bytes > maxText {
			l.leftOut++
			return false
		}
		text += bytes
		return true
	}
	l.values = make([]value, 0, min(len(statistics), maxSeries))
	strangers := 0
	for i := range statistics {
		s := &statistics[i]
		at, ok := places.index[s.Name]
		switch {
		case !ok:
			strangers++
		case usable(s) && fits(len(s.Instance)):
			l.values = append(l.values, value{number: s.Value, instance: unique.Make(s.Instance), place: at})
		}
	}
	slices.SortStableFunc(l.values, func(a, b value) int { return cmp.Compare(a.place, b.place) })
	l.values = slices.Clip(l.values)
	if strangers == 0 {
		return
	}
	counters := countersOf(statistics)
	for i := range statistics {
		s := &statistics[i]
		if _, ok := places.index[s.Name]; ok || !usable(s) || isRate(s, counters) {
			continue
		}
		if fits(len(s.Name) + len(s.Instance) + len(s.Unit)) {
			l.others = append(l.others, other{number: s.Value, name: unique.Make(s.Name), instance: unique.Make(s.Instance),
				unit: unique.Make(s.Unit), counter: s.Kind == report.Counter})
		}
	}
}

// usable leaves out what can't be a sample. Package report has refused it already.
func usable(s *report.Statistic) bool {
	return !math.IsNaN(s.Value) && !math.IsInf(s.Value, 0) && (s.Kind != report.Counter || s.Value >= 0)
}

const rateSuffix = ".rate"

func countersOf(statistics []report.Statistic) map[string]bool {
	counters := make(map[string]bool)
	for i := range statistics {
		if statistics[i].Kind == report.Counter {
			counters[statistics[i].Name] = true
		}
	}
	return counters
}

// isRate says of a statistic that it is the rate of a counter. Prometheus makes rates itself, over whatever time it is
// asked for, so they are not on the page.
func isRate(s *report.Statistic, counters map[string]bool) bool {
	base, ok := strings.CutSuffix(s.Name, rateSuffix)
	return ok && s.Kind == report.Gauge && counters[base]
}
