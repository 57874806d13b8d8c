package visit_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"muster/internal/failure"
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

func TestAVisitGoesOnWhileThereIsMore(t *testing.T) {
	for _, transfer := range []visit.Transfer{visit.Stdout, visit.File} {
		t.Run(string(transfer), func(t *testing.T) {
			log, s := &hostLog{length: 7500}, newShelf(authLog)
			f, host := reading(t, log, s)
			host.Transfer = transfer
			visitor := f.visitor()
			var open []int // connections while a part was kept
			s.full = func(*visit.Part) error {
				open = append(open, visitor.Connections())
				return nil
			}
			v := visitor.Visit(t.Context(), host, sweep)
			wantLogs(t, v, authLog, 7500, 0, 0)
			s.wantRecords(t, authLog, 7500)
			if len(v.Report.Logs) != 0 {
				t.Error("the visit holds the records that were kept already")
			}
			if _, connections := f.Connections(); connections != 1 {
				t.Errorf("it took %d connections", connections)
			}
			if want := []int{1, 1, 0}; !slices.Equal(open, want) {
				t.Errorf("while parts were kept %v connections were open, want %v: none where nothing more is asked", open, want)
			}
			for i, q := range log.requests() {
				if q.Part != i || (q.File != "") != (transfer == visit.File) || q.Visit != v.ID {
					t.Errorf("request %d is of part %d, file %q", i, q.Part, q.File)
				}
				if i > 0 && (q.Sample != 0 || q.Key == log.asked[i-1].Key || q.Nonce == log.asked[i-1].Nonce) {
					t.Errorf("request %d samples for %v, or has a key or nonce again", i, q.Sample)
				}
				if p := s.parts[i]; p.Number != i || p.Visit != v.ID || p.Host != host.Name || !p.Sweep.Equal(sweep) || p.Read.IsZero() {
					t.Errorf("part %d: %+v", i, p)
				}
			}
			if log.asked[0].Records != visit.FirstRecords || log.asked[0].Bytes != visit.FirstBytes || log.asked[1].Records != 0 {
				t.Error("the parts are not bounded as they should be")
			}
			if c := v.Logs; len(c) != 1 || c[0].More || c[0].Records != 7500 || c[0].Trouble != nil {
				t.Errorf("it says of the logs %+v", c)
			}
			if reported(v.Report, "uptime", "") != 1000 || complaints(v.Report) != "" {
				t.Errorf("the report is %+v", v.Report)
			}
			f.wantNothingLeft(t)

			// The next visit goes on where this one ended.
			log.length = 7600
			wantLogs(t, visitor.Visit(t.Context(), host, sweep.Add(time.Minute)), authLog, 100, 0, 0)
			s.wantRecords(t, authLog, 7600)
		})
	}
}

// TestALogThatIsSlowCostsNoVisit: the half of its time in which a client reads logs ends before the stage does.
func TestALogThatIsSlowCostsNoVisit(t *testing.T) {
	log := &hostLog{length: 2000}
	f, host := reading(t, log, newShelf(authLog))
	host.Deadlines.Run, host.Deadlines.Receive = 30*time.Second, 40*time.Second
	wantReport(t, f.visitor().Visit(t.Context(), host, sweep))
	host.Further = 20 * time.Second
	host.Logs = newShelf(authLog)
	wantReport(t, f.visitor().Visit(t.Context(), host, sweep))
	host.Logs = nil
	wantReport(t, f.visitor().Visit(t.Context(), host, sweep))
	for i, most := range []time.Duration{48 * time.Second, 48 * time.Second, 48 * time.Second, 20 * time.Second, 70 * time.Second} {
		if got := log.requests()[i].Deadline; got > most || got < most*3/4 {
			t.Errorf("request %d gives the client %v, want at most %v", i, got, most)
		}
	}
}

func TestWithoutAPlaceTheRestWaits(t *testing.T) {
	log, s := &hostLog{length: 2500}, newShelf(authLog)
	f, host := reading(t, log, s)
	s.places = 0
	visitor := f.visitor()
	s.full = func(*visit.Part) error {
		if n := visitor.Connections(); n != 0 {
			t.Errorf("%d connections are open while the last part is kept", n)
		}
		return nil
	}
	for i, want := range []float64{1000, 1000, 500} {
		v := visitor.Visit(t.Context(), host, sweep)
		wantLogs(t, v, authLog, want, 0, 0)
		if more := i < 2; v.Logs[0].More != more {
			t.Errorf("visit %d says %+v", i, v.Logs)
		}
	}
	s.wantRecords(t, authLog, 2500)
}

// TestLargePartsComeAsFiles has records that hardly compress.
func TestLargePartsComeAsFiles(t *testing.T) {
	dice := rand.NewChaCha8([32]byte{})
	noise := make([]byte, 400)
	log, s := &hostLog{length: 12000, raw: func(int64) string {
		_, _ = dice.Read(noise)
		return hex.EncodeToString(noise)
	}}, newShelf(authLog)
	f, host := reading(t, log, s)
	v := f.visitor().Visit(t.Context(), host, sweep)
	wantLogs(t, v, authLog, 12000, 0, 0)
	s.wantRecords(t, authLog, 12000)
	for i, q := range log.requests() {
		if (q.File != "") != (i > 0) {
			t.Errorf("part %d is wanted in the file %q", i, q.File)
		}
	}
	f.wantNothingLeft(t)
}

// TestLargePartsThatCantBeFiles has a host without SFTP, and a client that may write no file.
func TestLargePartsThatCantBeFiles(t *testing.T) {
	for name, installed := range map[string]bool{"no SFTP": false, "installed": true} {
		t.Run(name, func(t *testing.T) {
			dice := rand.NewChaCha8([32]byte{})
			log, s := &hostLog{length: 6000, raw: func(int64) string { return fmt.Sprintf("%0800x", dice.Uint64()) }}, newShelf(authLog)
			f := newFake(t, func(o *sshtest.Options) {
				if !installed {
					o.Refuse = sshtest.Refuse("sftp")
				}
			})
			client := log.client()
			f.becomes(func(ctx context.Context, session *sshtest.Session) sshtest.Exit {
				if strings.Contains(session.Command, " ") { // what moves the client into its place, without SFTP
					return sshtest.Shell(ctx, session)
				}
				return client(ctx, session)
			})
			host := f.host(t)
			if host.Logs = s; installed {
				host.Client = filepath.Join(f.home, "muster-client-installed")
			}
			wantLogs(t, f.visitor().Visit(t.Context(), host, sweep), authLog, 6000, 0, 0)
			for _, q := range log.requests() {
				if q.File != "" {
					t.Errorf("part %d is wanted in a file", q.Part)
				}
			}
			f.wantNothingLeft(t)
		})
	}
}

// TestAFurtherPartFails has the second part fail in every way: what the first brought stays, and the visit is a good one.
func TestAFurtherPartFails(t *testing.T) {
	for name, test := range map[string]struct {
		client func(*fake, sshtest.Handler) sshtest.Handler
		change func(*report.Request, *report.Report)
		words  string
	}{
		"the connection is lost": {client: func(f *fake, _ sshtest.Handler) sshtest.Handler {
			return func(context.Context, *sshtest.Session) sshtest.Exit {
				f.Disconnect()
				return sshtest.Exit{}
			}
		}, words: "connection was lost"},
		"the client fails": {client: func(*fake, sshtest.Handler) sshtest.Handler {
			return saying("", "no memory\n", sshtest.Exit{Status: 3})
		}, words: "no memory"},
		"the report is cut": {client: func(*fake, sshtest.Handler) sshtest.Handler {
			return sending(func(s string) string { return s[:len(s)-20] })
		}, words: "cut"},
		"the seal is wrong":   {client: func(*fake, sshtest.Handler) sshtest.Handler { return saying(framed("x"), "", sshtest.Exit{}) }, words: "seal"},
		"it is no report":     {client: func(*fake, sshtest.Handler) sshtest.Handler { return sealing([]byte("<x/>"), asAsked) }, words: "report"},
		"it is another's":     {change: func(_ *report.Request, r *report.Report) { r.Host = "other" }, words: "another's"},
		"nobody asked for it": {change: func(_ *report.Request, r *report.Report) { r.Logs[0].Channel = "Security" }, words: "nobody asked"},
		"it begins anew":      {change: func(_ *report.Request, r *report.Report) { r.Logs[0].Records[0].ID = 1 }, words: "goes back"},
		"it has too many":     {change: func(q *report.Request, r *report.Report) { r.Logs[0].Records = tooMany(r.Logs[0].Next.Record) }, words: "larger than"},
	} {
		t.Run(name, func(t *testing.T) {
			log, s := &hostLog{length: 3000}, newShelf(authLog)
			f, host := reading(t, log, s)
			good := log.client()
			if test.client != nil {
				bad := test.client(f, good)
				f.becomes(func(ctx context.Context, session *sshtest.Session) sshtest.Exit {
					if len(log.requests()) == 0 {
						return good(ctx, session)
					}
					return bad(ctx, session)
				})
			}
			log.change = func(part int, q *report.Request, r *report.Report) {
				if part > 0 && test.change != nil {
					test.change(q, r)
				}
			}
			v := f.visitor().Visit(t.Context(), host, sweep)
			wantLogs(t, v, authLog, 1000, 0, 0)
			s.wantRecords(t, authLog, 1000)
			if got := complaints(v.Report); !strings.Contains(got, test.words) || !strings.Contains(got, "the next visit goes on") {
				t.Errorf("it says %q, and not %q", got, test.words)
			}
			if !v.Logs[0].More || v.Logs[0].Trouble != nil {
				t.Errorf("it says of the logs %+v", v.Logs)
			}
			f.wantNothingLeft(t)
		})
	}
}

// tooMany returns more records than a report may have, up to an id.
func tooMany(last int64) []report.Record {
	records := make([]report.Record, 0, report.MaxRecords)
	for id := last - visit.FirstRecords; id <= last; id++ {
		records = append(records, report.Record{ID: id, Time: sweep, Raw: strings.Repeat("x", 3400)})
	}
	return records
}

// TestAHostLiesAboutItsLogs in the first part, which is not to be believed in anything then.
func TestAHostLiesAboutItsLogs(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*report.Request, *report.Report)
		kind   failure.Kind
	}{
		"nobody asked for it": {func(_ *report.Request, r *report.Report) { r.Logs[0].Channel = "Security" }, failure.ReportInvalid},
		"another epoch":       {func(_ *report.Request, r *report.Report) { r.Logs[0].Epoch, r.Logs[0].Next.Epoch = 99, 99 }, failure.ReportInvalid},
		"too many": {func(q *report.Request, r *report.Report) {
			for id := int64(visit.FirstRecords); id <= 2*visit.FirstRecords; id++ {
				r.Logs[0].Records = append(r.Logs[0].Records, report.Record{ID: id + 1, Time: sweep})
			}
			r.Logs[0].Next.Record = 1 << 20
		}, failure.ReportTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShelf(authLog)
			f, host := reading(t, &hostLog{length: 1000, change: func(_ int, q *report.Request, r *report.Report) { test.change(q, r) }}, s)
			wantFailure(t, f.visitor().Visit(t.Context(), host, sweep), failure.Decode, test.kind)
			if len(s.parts) != 0 {
				t.Error("what it brought is kept")
			}
			f.wantNothingLeft(t)
		})
	}
}

func TestWhatIsNotKeptIsSaid(t *testing.T) {
	log, s := &hostLog{length: 3000}, newShelf(authLog)
	f, host := reading(t, log, s)
	s.full = func(p *visit.Part) error {
		if p.Number == 1 {
			return errors.New("the queue is full")
		}
		return nil
	}
	v := f.visitor().Visit(t.Context(), host, sweep)
	wantLogs(t, v, authLog, 1000, 0, 0)
	if got := complaints(v.Report); !strings.Contains(got, "is not kept") || !strings.Contains(got, "the queue is full") {
		t.Errorf("it says %q", got)
	}
	if len(log.requests()) != 2 {
		t.Error("it goes on though nothing is kept")
	}
	s.full = nil
	wantLogs(t, f.visitor().Visit(t.Context(), host, sweep), authLog, 2000, 0, 0)
	s.wantRecords(t, authLog, 3000)
}

// TestChannelsInTrouble has one of several in each kind of trouble: only that which gets on is asked again.
func TestChannelsInTrouble(t *testing.T) {
	log, s := &hostLog{length: 3000}, newShelf(authLog, "denied", "stuck", "missing", "gap")
	f, host := reading(t, log, s)
	log.change = func(part int, _ *report.Request, r *report.Report) {
		if part > 0 {
			return
		}
		for i := range r.Logs[1:] {
			l := &r.Logs[i+1]
			*l = report.Logs{Channel: l.Channel, More: true}
		}
		r.Logs[1].Trouble = &report.Trouble{Kind: report.TroubleDenied, Text: "access is denied"}
		r.Logs[4].Epoch, r.Logs[4].Begun, r.Logs[4].Why, r.Logs[4].More = 7, "x", "first reading", false
		r.Logs[4].Next = report.Cursor{Epoch: 7, Record: 9, Position: "p"}
		r.Logs[4].Gaps = []report.Gap{{Epoch: 7, First: 1, Last: 9, Reason: "rotated away"}}
		r.Logs = slices.Delete(r.Logs, 3, 4)
	}
	v := f.visitor().Visit(t.Context(), host, sweep)
	wantLogs(t, v, authLog, 3000, 0, 0)
	wantLogs(t, v, "denied", 0, 0, 1)
	wantLogs(t, v, "stuck", 0, 0, 0)
	wantLogs(t, v, "missing", 0, 0, 1)
	wantLogs(t, v, "gap", 0, 1, 0)
	if got := complaints(v.Report); got != "denied: access is denied\nmissing: the time was too short for it" {
		t.Errorf("it says %q", got)
	}
	for _, q := range log.requests()[1:] {
		if len(q.Logs) != 1 || q.Logs[0].Channel != authLog {
			t.Errorf("part %d asks for %+v", q.Part, q.Logs)
		}
	}
}

func TestAnOldInstalledClientReadsNoLogs(t *testing.T) {
	s := newShelf("journal")
	f, host := reading(t, &hostLog{change: func(_ int, _ *report.Request, r *report.Report) { r.Logs = nil }}, s)
	host.Client = filepath.Join(f.home, "muster-client-installed")
	v := f.visitor().Visit(t.Context(), host, sweep)
	wantLogs(t, v, "journal", 0, 0, 1)
	if v.Logs[0].Trouble.Kind != report.TroubleUnsupported || !strings.Contains(complaints(v.Report), "too old") {
		t.Errorf("it says %+v", v.Logs)
	}
}

// TestTheTimeForPartsIsUp has a further part that takes as long as it is let: that is as it should be.
func TestTheTimeForPartsIsUp(t *testing.T) {
	log, s := &hostLog{length: 3000}, newShelf(authLog)
	f, host := reading(t, log, s)
	good := log.client()
	f.becomes(func(ctx context.Context, session *sshtest.Session) sshtest.Exit {
		if len(log.requests()) == 0 {
			return good(ctx, session)
		}
		<-ctx.Done()
		return sshtest.Exit{Status: 1}
	})
	host.Further = 5 * time.Second
	v := f.visitor().Visit(t.Context(), host, sweep)
	wantLogs(t, v, authLog, 1000, 0, 0)
	if got := complaints(v.Report); got != "" || v.Took > time.Minute {
		t.Errorf("it took %v, and says %q", v.Took, got)
	}
	f.wantNothingLeft(t)

	// With hardly any time none is asked for.
	host.Further = time.Nanosecond
	f.becomes(good)
	before := len(log.requests())
	wantLogs(t, f.visitor().Visit(t.Context(), host, sweep), authLog, 1000, 0, 0)
	if n := len(log.requests()) - before; n != 1 {
		t.Errorf("%d parts were asked for", n)
	}
	s.wantRecords(t, authLog, 2000)
}

// TestAVisitIsStoppedBetweenParts has the server stop: what the visit has brought is kept.
func TestAVisitIsStoppedBetweenParts(t *testing.T) {
	log, s := &hostLog{length: 3000}, newShelf(authLog)
	f, host := reading(t, log, s)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s.full = func(*visit.Part) error { cancel(); return nil }
	v := f.visitor().Visit(ctx, host, sweep)
	wantLogs(t, v, authLog, 1000, 0, 0)
	if got := complaints(v.Report); got != "" {
		t.Errorf("it says %q", got)
	}
	s.wantRecords(t, authLog, 1000)
	f.wantNothingLeft(t)
}

// TestThePasswordInARecord has it typed where a user's name was asked for, as happens; and a short one, which is a word.
func TestThePasswordInARecord(t *testing.T) {
	for password, hidden := range map[string]bool{"swordfish & <co>": true, "auth": false} {
		f := newFake(t, func(o *sshtest.Options) { o.Password = password })
		s := newShelf(authLog)
		log := &hostLog{length: 2, raw: func(id int64) string {
			if id == 1 {
				return "Failed password for invalid user " + password + " auth"
			}
			return "<Data>swordfish &amp; &lt;co&gt;</Data> auth"
		}}
		log.change = func(_ int, _ *report.Request, r *report.Report) {
			record := &r.Logs[0].Records[0]
			record.User, record.Message, record.Data = password, "for "+password, []report.Field{{Name: "user", Value: password}}
		}
		f.becomes(log.client())
		host := f.host(t)
		host.Password, host.Logs = password, s
		wantReport(t, f.visitor().Visit(t.Context(), host, sweep))
		records := s.parts[0].Answers[0].Records
		text := fmt.Sprintf("%+v", records)
		if found := strings.Contains(text, password) || strings.Contains(text, "swordfish &amp;"); found == hidden {
			t.Errorf("of the password %q there is: %s", password, text)
		}
		if records[0].Altered != hidden || records[1].Altered != hidden || !strings.Contains(records[0].Raw, "Failed password for") {
			t.Errorf("the records are %s", text)
		}
	}
}
