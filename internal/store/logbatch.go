package store

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"muster/internal/events"
	"muster/internal/report"
)

// What the columns of a record's texts hold at most, in bytes. A whole record has less than half of what a statement may
// have that every server takes, also when each character of it is escaped.
const (
	maxLogRaw     = report.MaxRaw
	maxLogMessage = report.MaxMessage
	maxGapReason  = 1 << 10
)

// logonOf is what package events knows of a record.
func logonOf(channel string, r *report.Record) Logon {
	l, _ := events.LogonOf(channel, r) // empty where it is about something else
	return Logon{Outcome: l.Outcome, Account: l.User, Address: l.Address}
}

// channelKey names a channel of a host.
type channelKey struct{ host, channel string }

// logBatch is what one SaveLogs writes: rows, cleaned, without ids; those of a channel in their order.
type logBatch struct {
	rows    []logRow
	gaps    []gapRow
	cursors []cursorRow // ordered by their keys, each at most once
}

// newLogBatch makes rows of logs. logon says what a record says of a logon. Its error names the part that can't be stored.
func newLogBatch(logs []Logs, logon func(channel string, r *report.Record) Logon) (*logBatch, error) {
	records, gaps := 0, 0
	for i := range logs {
		l := &logs[i]
		if err := checkLogs(l); err != nil {
			return nil, err
		}
		for j := range l.Channels {
			c := &l.Channels[j]
			records += len(c.Records)
			gaps += len(c.Gaps)
		}
	}
	b := &logBatch{rows: make([]logRow, 0, records), gaps: make([]gapRow, 0, gaps)}
	cursors := make(map[channelKey]cursorRow)
	for i := range logs {
		l := &logs[i]
		read := l.Read
		if !recordable(read) {
			read = l.Sweep
		}
		for j := range l.Channels {
			c := &l.Channels[j]
			of := channelKey{key(l.Host, maxHost), key(c.Channel, report.MaxChannel)}
			for k := range c.Records {
				r := &c.Records[k]
				b.rows = append(b.rows, newLogRow(of, c.Epoch, l.Sweep, read, r, logon(c.Channel, r)))
			}
			for k := range c.Gaps {
				b.gaps = append(b.gaps, newGapRow(of, l.Sweep, read, &c.Gaps[k]))
			}
			if c.Next.Epoch == 0 {
				continue // it was never read
			}
			cursor := cursorRow{
				Host: of.host, Channel: of.channel, Epoch: c.Next.Epoch, RecordID: c.Next.Record,
				Position: prose(c.Next.Position, report.MaxPosition), Updated: stamp(read),
			}
			if other, ok := cursors[of]; !ok || cursor.supersedes(&other) {
				cursors[of] = cursor
			}
		}
	}
	b.cursors = slices.SortedFunc(maps.Values(cursors), func(x, y cursorRow) int {
		return cmp.Or(cmp.Compare(x.Host, y.Host), cmp.Compare(x.Channel, y.Channel))
	})
	return b, nil
}

// checkLogs refuses what has no place in the tables. Of what a host sends there is nothing that has none.
func checkLogs(l *Logs) error {
	switch {
	case l.Host == "":
		return fmt.Errorf("log records of visit %q name no host", l.Visit)
	case l.Visit == "":
		return fmt.Errorf("log records of host %q name no visit", l.Host)
	case !storable(l.Sweep):
		return fmt.Errorf("log records of visit %q to host %q: the sweep's time %v can't be stored", l.Visit, l.Host, l.Sweep)
	}
	return nil
}

// recordable says that all engines can hold a record's time. Windows' clock begins in 1601.
func recordable(t time.Time) bool { year := t.UTC().Year(); return year >= 1000 && year <= 9999 }

func newLogRow(of channelKey, epoch int64, sweep, read time.Time, r *report.Record, logon Logon) logRow {
	row := logRow{
		Host: of.host, Channel: of.channel, Epoch: epoch, RecordID: r.ID,
		Time:      stamp(r.Time),
		SweepTime: sweep.UnixMilli(),
		Level:     key(string(r.Level), maxState),
		EventID:   r.Event,
		Source:    key(r.Source, report.MaxWord),
		Computer:  key(r.Computer, report.MaxWord),
		UserName:  key(r.User, report.MaxWord),
		Process:   r.Process,
		Keywords:  key(r.Keywords, report.MaxWord),
		Logon:     key(logon.Outcome, maxState),
		Account:   key(logon.Account, report.MaxWord),
		Address:   key(logon.Address, report.MaxWord),
		Message:   prose(r.Message, maxLogMessage),
		Raw:       prose(r.Raw, maxLogRaw),
	}
	var altered bool
	row.Data, altered = encodeFields(r.Data)
	row.Altered = r.Altered || altered || row.Message != r.Message || row.Raw != r.Raw
	if !recordable(r.Time) {
		row.Time, row.Altered = stamp(read), true
	}
	return row
}

func newGapRow(of channelKey, sweep, read time.Time, g *report.Gap) gapRow {
	row := gapRow{
		Host: of.host, Channel: of.channel, Epoch: g.Epoch, FirstID: g.First, Possible: g.Possible,
		Reason: prose(g.Reason, maxGapReason), Found: stamp(read), SweepTime: sweep.UnixMilli(),
	}
	if g.Last != 0 {
		row.LastID = &g.Last
	}
	return row
}
