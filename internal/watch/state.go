package watch

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strings"

	"muster/internal/alert"
	"muster/internal/report"
)

// The state is kept in shards, so that a change of one host's alerts writes little, and a change of all hosts' little
// more than there is. A shard holds the alerts of the hosts whose names hash to it.
const shards = 64

// state is what is known of the alerts. Whoever uses it sees to it that it is used by one at a time.
type state struct {
	shards [shards]shard
	posted uint64 // the letters of sweeps up to this entry are posted
}

// shard is a part of the state.
type shard struct {
	number  uint64           // entries up to this one are evaluated, for its hosts, in what the table holds
	hosts   map[string]known // by host; hosts without alerts are not in it
	logs    map[string]*hostLogs
	changes int // how often it has changed …
	written int // … and how many of these changes are in the table
}

// known is the alerts of a host: those that are open, and those that are over and of which somebody is yet to be told or
// the database to know.
type known []*entryOf

// entryOf is one alert, and who knows of it.
type entryOf struct {
	Alert     alert.Alert        `json:"alert"`
	Told      map[string]telling `json:"told,omitempty"` // by receiver
	Over      bool               `json:"over,omitempty"` // nobody is to be told of it any more
	projected bool               // the database has it as it is
}

// telling is what a receiver was told of an alert last.
type telling struct {
	Phase alert.Phase `json:"phase"`
	Sweep uint64      `json:"sweep"` // the entry of the sweep that told it
}

// toldBy reports whether the sweep of this number has told anybody of the alert.
func (e *entryOf) toldBy(number uint64) bool {
	for _, told := range e.Told {
		if told.Sweep == number {
			return true
		}
	}
	return false
}

// open returns the alerts that go on.
func (k known) open() []alert.Alert {
	var open []alert.Alert
	for _, e := range k {
		if e.Alert.Phase != alert.Resolved {
			open = append(open, e.Alert)
		}
	}
	return open
}

func shardOf(host string) int {
	sum := sha256.Sum256([]byte(host))
	return int(binary.BigEndian.Uint16(sum[:]) % shards)
}

func (s *state) open(host string) []alert.Alert { return s.shards[shardOf(host)].hosts[host].open() }

// has reports whether an entry is evaluated already for a host.
func (s *state) has(host string, number uint64) bool { return number <= s.shards[shardOf(host)].number }

// hosts yields the hosts that have alerts, in no order. Their alerts may be replaced meanwhile.
func (s *state) hosts() iter.Seq2[string, known] {
	return func(yield func(string, known) bool) {
		for i := range s.shards {
			for host, alerts := range s.shards[i].hosts {
				if !yield(host, alerts) {
					return
				}
			}
		}
	}
}

// replace takes over what an evaluation made of a host's open alerts.
func (s *state) replace(host string, next []alert.Alert) {
	sh := &s.shards[shardOf(host)]
	before := sh.hosts[host]
	after := make(known, 0, len(next))
	byID := make(map[string]*entryOf, len(before))
	for _, e := range before {
		byID[e.Alert.ID] = e
		if e.Alert.Phase == alert.Resolved {
			after = append(after, e)
		}
	}
	for _, a := range next {
		e := byID[a.ID]
		if e == nil {
			e = new(entryOf)
		}
		if e.Alert.Phase != a.Phase || e.Alert.Since != a.Since || e.Alert.Raised != a.Raised {
			sh.changes++ // a value that moves is not worth a write
		}
		if e.Alert != a {
			e.Alert, e.projected = a, false
		}
		after = append(after, e)
	}
	sh.put(host, after)
}

// logs returns what is known of a host's log records. The caller hands it to putLogs where it changes it.
func (s *state) logs(host string) *hostLogs {
	if known := s.shards[shardOf(host)].logs[host]; known != nil {
		return known
	}
	return new(hostLogs)
}

// putLogs takes over what is known of a host's log records.
func (s *state) putLogs(host string, l *hostLogs) {
	sh := &s.shards[shardOf(host)]
	sh.changes++
	switch {
	case l.empty():
		delete(sh.logs, host)
	case sh.logs == nil:
		sh.logs = map[string]*hostLogs{host: l}
	default:
		sh.logs[host] = l
	}
}

// allLogs yields what is known of all hosts' log records, in no order. It may be replaced meanwhile.
func (s *state) allLogs() iter.Seq2[string, *hostLogs] {
	return func(yield func(string, *hostLogs) bool) {
		for i := range s.shards {
			for host, logs := range s.shards[i].logs {
				if !yield(host, logs) {
					return
				}
			}
		}
	}
}

// crowded returns what counts the calls and reports whether the records that wait to be mailed, of all hosts in the host's
// shard, are as many as are kept, if each of the calls before added one.
func (s *state) crowded(host string) func() bool {
	kept := 0
	for _, l := range s.shards[shardOf(host)].logs {
		kept += l.kept()
	}
	return func() bool {
		kept++
		return kept > pendingMost
	}
}

// exceeded reports whether a limit on log records of a host is exceeded, as far as is known.
func (s *state) exceeded(host string) bool {
	return slices.ContainsFunc(s.open(host), func(a alert.Alert) bool { return a.Statistic == report.LogsMatches })
}

func (sh *shard) put(host string, alerts known) {
	switch {
	case len(alerts) == 0:
		delete(sh.hosts, host)
	case sh.hosts == nil:
		sh.hosts = map[string]known{host: alerts}
	default:
		sh.hosts[host] = alerts
	}
}

// count returns how many alerts fire and are pending.
func (s *state) count() (firing, pending int) {
	for _, alerts := range s.hosts() {
		for _, e := range alerts {
			switch e.Alert.Phase {
			case alert.Firing:
				firing++
			case alert.Pending:
				pending++
			}
		}
	}
	return firing, pending
}

// The keys of the table: one for each shard, and one for the number of the last sweep whose letters are posted.
const (
	shardKey  = "shard."
	postedKey = "posted"
)

type shardRecord struct {
	Number uint64               `json:"number"`
	Hosts  map[string]known     `json:"hosts,omitempty"`
	Logs   map[string]*hostLogs `json:"logs,omitempty"`
}

// readState reads what write wrote.
func readState(all map[string][]byte) (*state, error) {
	s := new(state)
	for key, value := range all {
		if key == postedKey {
			if err := json.Unmarshal(value, &s.posted); err != nil {
				return nil, fmt.Errorf("%w: %s: %w", errTable, key, err)
			}
			continue
		}
		var number int
		if _, err := fmt.Sscanf(strings.TrimPrefix(key, shardKey), "%d", &number); err != nil || number < 0 || number >= shards {
			return nil, fmt.Errorf("%w: it has the key %q", errTable, key)
		}
		var record shardRecord
		if err := json.Unmarshal(value, &record); err != nil {
			return nil, fmt.Errorf("%w: %s: %w", errTable, key, err)
		}
		s.shards[number] = shard{number: record.Number, hosts: record.Hosts, logs: record.Logs}
	}
	return s, nil
}

// write writes the shards that have changed, as they are after the entry of this number.
func (w *Watch) write(ctx context.Context, number uint64) error {
	for i := range w.state.shards {
		value, changes, err := w.record(i, number)
		if err != nil {
			return err
		}
		if value == nil {
			continue
		}
		if err := w.options.Table.Put(ctx, fmt.Sprint(shardKey, i), value); err != nil {
			return err
		}
		w.mu.Lock()
		sh := &w.state.shards[i]
		sh.number, sh.written = max(number, sh.number), changes
		w.mu.Unlock()
	}
	return nil
}

// record returns what is to be written of a shard, and with which of its changes; nil if it is written.
func (w *Watch) record(i int, number uint64) (value []byte, changes int, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	sh := &w.state.shards[i]
	if sh.changes == sh.written {
		return nil, 0, nil
	}
	value, err = json.Marshal(shardRecord{Number: max(number, sh.number), Hosts: sh.hosts, Logs: sh.logs})
	return value, sh.changes, err
}
