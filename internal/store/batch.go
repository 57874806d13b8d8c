package store

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"muster/internal/report"
)

// batch is what one Save writes: the rows of its visits, cleaned, ordered by their keys so that concurrent transactions
// lock them in the same order, and each key at most once where the engine demands it.
type batch struct {
	sweeps     []sweepRow
	series     map[int64]newSeries // those that may not be in the database yet
	statistics []statisticRow
	visits     []visitRow
	hosts      []hostRow

	unusable int // values that are not finite numbers
	collided int // statistics whose series' id belongs to another series of the batch
}

type newSeries struct {
	check uint64
	row   seriesRow
}

// newBatch makes rows of visits. Its error names the visit that can't be stored.
func newBatch(visits []Visit, known *knownSeries) (*batch, error) {
	b := &batch{series: make(map[int64]newSeries)}
	sweeps := make(map[int64]struct{}, 1)
	hosts := make(map[string]hostRow, len(visits))
	b.visits = make([]visitRow, 0, len(visits))
	var scratch []byte
	for i := range visits {
		v := &visits[i]
		if err := check(v); err != nil {
			return nil, err
		}
		row := newVisitRow(v)
		b.visits = append(b.visits, row)
		sweeps[row.SweepTime] = struct{}{}
		if !v.Skipped {
			host := newHostRow(v, &row)
			if other, ok := hosts[host.Name]; ok {
				host = later(other, host)
			}
			hosts[host.Name] = host
		}
		if v.Report != nil {
			scratch = b.addStatistics(&row, v.Report.Statistics, known, scratch)
		}
	}
	for _, t := range slices.Sorted(maps.Keys(sweeps)) {
		b.sweeps = append(b.sweeps, sweepRow{SweepTime: t})
	}
	for _, name := range slices.Sorted(maps.Keys(hosts)) {
		b.hosts = append(b.hosts, hosts[name])
	}
	slices.SortFunc(b.visits, func(x, y visitRow) int {
		return cmp.Or(cmp.Compare(x.SweepTime, y.SweepTime), cmp.Compare(x.Host, y.Host), cmp.Compare(x.VisitID, y.VisitID))
	})
	slices.SortFunc(b.statistics, func(x, y statisticRow) int {
		if x.SweepTime != y.SweepTime {
			return cmp.Compare(x.SweepTime, y.SweepTime)
		}
		return cmp.Compare(x.SeriesID, y.SeriesID)
	})
	return b, nil
}

// check refuses what has no place in the tables.
func check(v *Visit) error {
	switch {
	case v.ID == "":
		return fmt.Errorf("a visit to host %q has no id", v.Host)
	case v.Host == "":
		return fmt.Errorf("visit %q names no host", v.ID)
	case !storable(v.Sweep):
		return fmt.Errorf("visit %q to host %q: the sweep's time %v can't be stored", v.ID, v.Host, v.Sweep)
	case !v.Started.IsZero() && !storable(v.Started):
		return fmt.Errorf("visit %q to host %q: its time %v can't be stored", v.ID, v.Host, v.Started)
	}
	return nil
}

// storable says that all engines can hold the time.
func storable(t time.Time) bool { return t.Unix() > 0 && t.UTC().Year() <= 9999 }

// addStatistics adds a report's statistics, and those of their series that are not known yet.
func (b *batch) addStatistics(v *visitRow, all []report.Statistic, known *knownSeries, scratch []byte) []byte {
	b.statistics = slices.Grow(b.statistics, len(all))
	for _, s := range all {
		if math.IsNaN(s.Value) || math.IsInf(s.Value, 0) {
			b.unusable++
			continue
		}
		row := seriesRow{
			Host:     v.Host,
			Name:     key(s.Name, maxName),
			Instance: key(s.Instance, maxInstance),
			Unit:     key(s.Unit, maxUnit),
		}
		var id seriesID
		id, scratch = identify(&row, scratch)
		if !known.has(id) {
			if other, ok := b.series[id.id]; !ok {
				row.ID, row.Kind = id.id, key(string(s.Kind), maxKind)
				b.series[id.id] = newSeries{check: id.check, row: row}
			} else if other.check != id.check {
				b.collided++
				continue
			}
		}
		b.statistics = append(b.statistics, statisticRow{SweepTime: v.SweepTime, SeriesID: id.id, Value: s.Value})
	}
	return scratch
}

func newVisitRow(v *Visit) visitRow {
	row := visitRow{
		SweepTime: v.Sweep.UnixMilli(),
		Host:      key(v.Host, maxHost),
		VisitID:   key(v.ID, maxID),
		Started:   stamp(v.Started),
		Seconds:   v.Took.Seconds(),
		Outcome:   "ok",
		Stage:     key(v.Stage, maxWord),
		Kind:      key(v.Kind, maxWord),
		Error:     prose(v.Error, maxError),
		Advice:    prose(v.Advice, maxAdvice),
		Address:   key(v.Address, maxAddress),
		Sent:      v.Sent,
		Received:  v.Received,
		Uploaded:  v.Uploaded,
		Stages:    stagesJSON(v.Stages),
		Log:       prose(v.Log, maxLog),
	}
	if v.Started.IsZero() {
		row.Started = stamp(v.Sweep)
	}
	switch {
	case v.Report != nil:
		row.SourceFailures = failuresJSON(v.Report.Failures)
	case v.Skipped:
		row.Outcome, row.SourceFailures = "skipped", "{}"
	default:
		row.Outcome, row.SourceFailures = "failed", "{}"
	}
	return row
}

func newHostRow(v *Visit, row *visitRow) hostRow {
	host := hostRow{
		Name:       row.Host,
		GroupPath:  key(v.Groups, maxGroups),
		Address:    row.Address,
		Visited:    row.Started,
		VisitSweep: row.SweepTime,
		VisitID:    row.VisitID,
	}
	if r := v.Report; r != nil {
		host.OS = key(r.OS, maxPlatform)
		host.Arch = key(r.Arch, maxPlatform)
		host.Hostname = key(r.Hostname, maxHost)
		host.Client = key(r.Client, maxClient)
		host.Succeeded = &row.Started
		host.SucceededSweep = &row.SweepTime
	}
	return host
}

// later returns what two visits to the same host say of it, as the database would make of b after a.
func later(a, b hostRow) hostRow {
	last, success := a, a
	if b.Visited.After(a.Visited) || b.Visited.Before(a.Visited.Add(-tardy)) {
		last = b
	}
	if b.SucceededSweep != nil && (a.SucceededSweep == nil || *b.SucceededSweep > *a.SucceededSweep ||
		*b.SucceededSweep < *a.SucceededSweep-tardy.Milliseconds()) {
		success = b
	}
	last.OS, last.Arch, last.Hostname, last.Client = success.OS, success.Arch, success.Hostname, success.Client
	last.Succeeded, last.SucceededSweep = success.Succeeded, success.SucceededSweep
	return last
}

// stagesJSON returns {"dial":0.0123,…}, in seconds.
func stagesJSON(stages map[string]time.Duration) string {
	out := make(map[string]float64, len(stages))
	for stage, took := range stages {
		if len(out) == maxParts {
			break
		}
		out[key(stage, maxWord)] = took.Round(time.Microsecond).Seconds()
	}
	return encode(out)
}

// failuresJSON returns {"disk":"/mnt: no answer in 5 s; /srv: …",…}.
func failuresJSON(failures []report.Failure) string {
	out := make(map[string]string, min(len(failures), maxParts))
	for _, f := range failures {
		if len(out) == maxParts {
			break
		}
		source, reason := key(f.Source, maxWord), f.Reason
		if other, ok := out[source]; ok {
			reason = other + "; " + reason
		}
		out[source] = prose(reason, maxReason)
	}
	return encode(out)
}

// encode returns a map as JSON. Maps of texts and finite numbers can't fail to encode.
func encode(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return "{}"
	}
	return string(text)
}
