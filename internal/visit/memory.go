package visit

import (
	"strings"
	"sync"
	"time"
	"unique"

	"muster/internal/deploy"
	"muster/internal/failure"
	"muster/internal/report"
)

// memory is what is remembered of a host from one visit to the next. It is a value: an attempt has its own.
type memory struct {
	identity  identity
	platform  deploy.Platform  // zero: not known
	installed deploy.Installed // zero: not known, or not to be relied on
	counters  counters         // of the last report
	read      time.Time        // when they were read
	last      sum              // of the last report that opened: it is not to come again
}

// sum is the beginning of a sealed report's SHA-256: enough to know it again.
type sum [16]byte

// identity is what makes a host the same one from visit to visit.
type identity struct {
	way, address, user, directory, client string
	port                                  int
	sudo                                  bool
}

func (h *Host) identity() identity {
	return identity{
		way: h.Way, address: h.Address, user: h.User, directory: h.Directory, client: h.Client, port: h.Port, sudo: h.Sudo,
	}
}

// memories are those of all hosts, by the hosts' names. The zero value is ready for use. A host that is no longer visited
// keeps its place, some hundred bytes.
type memories struct {
	mu    sync.Mutex
	hosts map[string]memory
}

// recall returns what is known of a host: nothing if it is another one than it was.
func (m *memories) recall(host *Host) memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := host.identity()
	if known := m.hosts[host.Name]; known.identity == now {
		return known
	}
	return memory{identity: now}
}

// keep remembers what is known of a host. Where others may put something in a client's place while nobody looks, as they may
// in /tmp once that was emptied, where the client is has to be found out, and vetted, at each visit anew.
func (m *memories) keep(host *Host, known memory) {
	known.installed.Uploaded = false
	if known.installed.Shared || host.Client != "" {
		known.installed = deploy.Installed{}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.hosts == nil {
		m.hosts = make(map[string]memory)
	}
	m.hosts[host.Name] = known
}

// advance remembers the counters of a host's last report that is kept for good.
func (m *memories) advance(host *Host, read counters, at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if known, ok := m.hosts[host.Name]; ok {
		known.counters, known.read = read, at
		m.hosts[host.Name] = known
	}
}

// doubt forgets what a failure puts in question. A connection that was lost says nothing about the host.
func (m *memory) doubt(failed *failure.Error) {
	if failed.Kind.IsInterruption() {
		return
	}
	switch failed.Stage {
	case failure.Dial, failure.Handshake, failure.Authentication:
	default:
		m.platform, m.installed = deploy.Platform{}, deploy.Installed{}
	}
}

// counters are the readings of a host that the next ones are compared with, packed: which they are is one text that hosts
// alike share, and their values are eight bytes each.
type counters struct {
	series unique.Handle[string]
	values []float64
}

// separator is in no text of a report: XML does not have it.
const separator = "\x00"

func (c counters) empty() bool { return len(c.values) == 0 }

// packCounters keeps what report.Rates needs of a report.
func packCounters(statistics []report.Statistic) counters {
	wanted := func(s *report.Statistic) bool { return s.Kind == report.Counter || s.Name == report.Uptime }
	number := 0
	for i := range statistics {
		if wanted(&statistics[i]) {
			number++
		}
	}
	var series strings.Builder
	values := make([]float64, 0, number)
	for i := range statistics {
		s := &statistics[i]
		if !wanted(s) {
			continue
		}
		for _, text := range []string{s.Name, s.Instance, s.Unit, string(s.Kind)} {
			series.WriteString(text)
			series.WriteString(separator)
		}
		values = append(values, s.Value)
	}
	return counters{series: unique.Make(series.String()), values: values}
}

// statistics unpacks them.
func (c counters) statistics() []report.Statistic {
	if c.empty() {
		return nil
	}
	texts := strings.SplitN(c.series.Value(), separator, 4*len(c.values)+1)
	statistics := make([]report.Statistic, len(c.values))
	for i, value := range c.values {
		text := texts[4*i : 4*i+4]
		statistics[i] = report.Statistic{
			Name: text[0], Instance: text[1], Unit: text[2], Kind: report.Kind(text[3]), Value: value,
		}
	}
	return statistics
}
