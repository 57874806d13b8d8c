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
	"testing"
	"time"

	"muster/internal/report"
	"muster/internal/sshtest"
	"muster/internal/visit"
)

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
