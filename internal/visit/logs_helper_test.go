package visit_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"muster/internal/report"
	"muster/internal/sshtest"
	"muster/internal/visit"
)

const authLog = "file:/var/log/auth.log"

// hostLog is a log on a host, with records from 1 to its length, and what its client was asked.
type hostLog struct {
	length int64
	raw    func(id int64) string                               // of a record; nil: a short line
	change func(part int, q *report.Request, r *report.Report) // of an answer; nil: none

	mu    sync.Mutex
	asked []report.Request
}

func line(id int64) string { return fmt.Sprintf("line %d", id) }

// client answers for the log, whatever channels it is asked for.
func (h *hostLog) client() sshtest.Handler {
	return reporting(func(q *report.Request, r *report.Report) {
		h.mu.Lock()
		h.asked = append(h.asked, *q)
		h.mu.Unlock()
		if q.Part > 0 {
			r.Statistics = nil
		}
		for i := range q.Logs {
			r.Logs = append(r.Logs, h.read(q, &q.Logs[i]))
		}
		if h.change != nil {
			h.change(q.Part, q, r)
		}
	})
}

func (h *hostLog) read(q *report.Request, l *report.LogRequest) report.Logs {
	text := h.raw
	if text == nil {
		text = line
	}
	answer := report.Logs{Channel: l.Channel, Epoch: l.Cursor.Epoch, Next: l.Cursor}
	if l.Cursor.Epoch == 0 {
		answer.Epoch, answer.Begun, answer.Why = l.Fresh, "inode 1", "first reading"
	}
	records, bytes := q.Bounds()
	id := l.Cursor.Record
	for ; id < h.length && len(answer.Records) < records; id++ {
		r := report.Record{ID: id + 1, Time: sweep, Level: report.Notice, Raw: text(id + 1)}
		if bytes -= r.Size(); bytes < 0 {
			break
		}
		answer.Records = append(answer.Records, r)
	}
	answer.Next, answer.More = report.Cursor{Epoch: answer.Epoch, Record: id, Position: "here"}, id < h.length
	return answer
}

func (h *hostLog) requests() []report.Request {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.asked)
}

// shelf keeps logs in memory. It is a visit.Logs.
type shelf struct {
	channels []string
	cursors  map[string]report.Cursor
	parts    []visit.Part
	full     func(p *visit.Part) error // why a part is not kept; nil: all are
	places   int                       // how often the visit may go on
	held     int                       // places now
}

func newShelf(channels ...string) *shelf {
	return &shelf{channels: channels, cursors: make(map[string]report.Cursor), places: 1000}
}

func (s *shelf) Requests() []report.LogRequest {
	var all []report.LogRequest
	for _, c := range s.channels {
		all = append(all, report.LogRequest{Channel: c, Raw: true, Since: report.SinceAll, Cursor: s.cursors[c], Fresh: 7})
	}
	for i := range all {
		all[i].Fresh += all[i].Cursor.Epoch
	}
	return all
}

func (s *shelf) Keep(_ context.Context, p *visit.Part) error {
	if s.full != nil {
		if err := s.full(p); err != nil {
			return err
		}
	}
	s.parts = append(s.parts, *p)
	for _, l := range p.Answers {
		if (l.Next != report.Cursor{}) {
			s.cursors[l.Channel] = l.Next
		}
	}
	return nil
}

func (s *shelf) Continue() (func(), bool) {
	if s.places == 0 {
		return nil, false
	}
	s.places--
	s.held++
	return func() { s.held-- }, true
}

// wantRecords checks that the records of a channel up to a number were kept, in their order, each once.
func (s *shelf) wantRecords(t *testing.T, channel string, want int64) {
	t.Helper()
	next := int64(1)
	for i := range s.parts {
		for _, l := range s.parts[i].Answers {
			for j := range l.Records {
				if l.Channel != channel {
					break
				}
				if l.Records[j].ID != next {
					t.Fatalf("record %d of %s comes where %d is due", l.Records[j].ID, channel, next)
				}
				next++
			}
		}
	}
	if next-1 != want {
		t.Errorf("%d records of %s are kept, want %d", next-1, channel, want)
	}
	if s.held != 0 {
		t.Errorf("%d places are never given back", s.held)
	}
}

// reported returns a statistic of a report; -1: it is not there.
func reported(r *report.Report, name, instance string) float64 {
	for _, s := range r.Statistics {
		if s.Name == name && s.Instance == instance {
			return s.Value
		}
	}
	return -1
}

// wantLogs checks the server's own statistics of a channel.
func wantLogs(t *testing.T, v *visit.Visit, channel string, records, gaps, failed float64) {
	t.Helper()
	wantReport(t, v)
	got := [3]float64{}
	for i, name := range []string{report.LogsRecords, report.LogsGaps, report.LogsFailed} {
		got[i] = reported(v.Report, name, channel)
	}
	if want := [3]float64{records, gaps, failed}; got != want {
		t.Errorf("records, gaps and failed of %s are %v, want %v", channel, got, want)
	}
}

// complaints returns the failures of a report that are of its logs.
func complaints(r *report.Report) string {
	var all []string
	for _, f := range r.Failures {
		if f.Source == "logs" {
			all = append(all, f.Reason)
		}
	}
	return strings.Join(all, "\n")
}

// reading returns a host with a log, and a visit to it that keeps what it brings on the shelf.
func reading(t *testing.T, log *hostLog, s *shelf) (*fake, visit.Host) {
	t.Helper()
	f := newFake(t, nil)
	f.becomes(log.client())
	host := f.host(t)
	host.Logs = s
	return f, host
}
