package controller

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"muster/internal/alert"
	"muster/internal/config"
	"muster/internal/failure"
	"muster/internal/mail"
	"muster/internal/report"
	"muster/internal/store"
	"muster/internal/visit"
)

// fakeAlerts keeps alerts as the database does.
type fakeAlerts struct {
	rows map[string]store.Alert
	away error
}

func (f *fakeAlerts) Alerts(context.Context) ([]store.Alert, error) {
	var rows []store.Alert
	for _, a := range f.rows {
		if a.State != "resolved" || !a.Raised.IsZero() && a.Notified != "resolved" {
			rows = append(rows, a)
		}
	}
	return rows, f.away
}

func (f *fakeAlerts) SaveAlerts(_ context.Context, alerts []store.Alert) error {
	if f.away != nil {
		return f.away
	}
	for _, a := range alerts {
		f.rows[a.ID] = a
	}
	return nil
}

// fakeSender is a mail server.
type fakeSender struct {
	away   error
	later  string // a receiver that it refuses for now
	during func() // called while it sends
	refuse string // a receiver that it refuses for good
	sent   []mail.Message
}

func (f *fakeSender) Check(context.Context) error { return f.away }

func (f *fakeSender) Send(_ context.Context, messages ...mail.Message) error {
	if f.during != nil {
		f.during()
	}
	outcome := &mail.SendError{Errors: make([]*mail.Error, len(messages))}
	failed := false
	for i, m := range messages {
		switch {
		case f.away != nil:
			outcome.Errors[i] = &mail.Error{Step: mail.StepConnect, Temporary: true, Err: f.away}
			failed = true
		case m.To == f.refuse:
			outcome.Errors[i] = &mail.Error{Step: mail.StepRecipient, Code: 550, Err: errors.New("no such user")}
			failed = true
		case m.To == f.later:
			outcome.Errors[i] = &mail.Error{Step: mail.StepRecipient, Code: 451, Temporary: true, Err: errors.New("greylisted")}
			failed = true
		default:
			f.sent = append(f.sent, m)
		}
	}
	if failed {
		return outcome
	}
	return nil
}

// receivers returns who got the mails since the last call, in order.
func (f *fakeSender) receivers() string {
	var to []string
	for _, m := range f.sent {
		to = append(to, m.To)
	}
	f.sent = nil
	return strings.Join(to, " ")
}

// bench is a watch with its surroundings; a sweep is a minute.
type bench struct {
	t      *testing.T
	config *config.Config
	alerts *fakeAlerts
	sender *fakeSender
	watch  *watch
	now    time.Time
}

func newBench(t *testing.T) *bench {
	t.Helper()
	limit := func(above float64, hold time.Duration) []config.Limit {
		none := 0.0
		return []config.Limit{
			{Statistic: "memory.usage", Unit: "%", Above: &above, For: hold},
			{Statistic: "visit.failed", Unit: "1", Above: &none},
		}
	}
	b := &bench{
		t: t,
		config: &config.Config{
			Mail: &config.Mail{To: []string{"all@example.org"}},
			Hosts: []config.Host{
				{Name: "web1", Groups: []string{"web"}, Mail: []string{"web@example.org"}, Limits: limit(80, 0)},
				{Name: "web2", Groups: []string{"web"}, Mail: []string{"web@example.org"}, Limits: limit(80, 0)},
				{Name: "db1", Groups: []string{"db"}, Mail: []string{"db@example.org", "web@example.org"}, Limits: limit(80, 2*time.Minute)},
			},
		},
		alerts: &fakeAlerts{rows: make(map[string]store.Alert)},
		sender: &fakeSender{},
		now:    sweepTime,
	}
	b.restart()
	return b
}

// restart begins a new watch on the same database, as a new process does.
func (b *bench) restart() {
	b.t.Helper()
	var err error
	b.watch, err = newWatch(b.t.Context(), watchOptions{
		Config: b.config, Store: b.alerts, Sender: b.sender, Logger: slog.New(slog.DiscardHandler),
		Now: func() time.Time { return b.now },
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

// sweep makes one with the memory usage of each host; a negative one is a host that can't be visited.
func (b *bench) sweep(memory map[string]float64) error {
	b.now = b.now.Add(time.Minute)
	s := visit.Sweep{Time: b.now, Hosts: len(memory)}
	b.watch.SweepStarted(b.t.Context(), s)
	for host, usage := range memory {
		v := &visit.Visit{ID: fmt.Sprint(host, b.now.Unix()), Host: host, Sweep: b.now, Started: b.now}
		if usage < 0 {
			v.Failure = failure.New(failure.Dial, failure.Refused, errors.New("connection refused"))
		} else {
			v.Report = &report.Report{Host: host, Statistics: []report.Statistic{
				{Name: "memory.usage", Unit: "%", Kind: report.Gauge, Value: usage},
			}}
		}
		b.watch.Visited(b.t.Context(), v)
	}
	return b.watch.SweepEnded(b.t.Context(), s)
}

func (b *bench) mustSweep(memory map[string]float64) {
	b.t.Helper()
	if err := b.sweep(memory); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) want(receivers string) {
	b.t.Helper()
	if got := b.sender.receivers(); got != receivers {
		b.t.Errorf("mails went to %q, want %q", got, receivers)
	}
}

func TestOneMailAReceiverASweep(t *testing.T) {
	b := newBench(t)
	b.mustSweep(map[string]float64{"web1": 90, "web2": 95, "db1": 10})
	if n := len(b.sender.sent); n != 1 {
		t.Fatalf("%d mails, want one for both hosts", n)
	}
	text := b.sender.sent[0].Text
	if !strings.Contains(text, "web1") || !strings.Contains(text, "web2") || strings.Contains(text, "db1") {
		t.Errorf("the mail is not about web1 and web2:\n%s", text)
	}
	b.want("web@example.org")

	b.mustSweep(map[string]float64{"web1": 91, "web2": 96, "db1": 10})
	b.want("")

	b.mustSweep(map[string]float64{"web1": 50, "web2": 96, "db1": 10})
	if text := b.sender.sent[0].Text; !strings.Contains(text, "web1") {
		t.Errorf("the mail does not say that web1's alert is over:\n%s", text)
	}
	b.want("web@example.org")
	if _, _, firing := b.watch.Counts(b.now); firing != 1 {
		t.Errorf("%d alerts hold, want that of web2", firing)
	}
}

func TestHostThatCantBeVisitedIsMailed(t *testing.T) {
	b := newBench(t)
	b.mustSweep(map[string]float64{"db1": -1})
	if n := len(b.sender.sent); n != 2 || !strings.Contains(b.sender.sent[0].Text, "connection refused") {
		t.Fatalf("%d mails, want two that say why: %+v", n, b.sender.sent)
	}
	b.want("db@example.org web@example.org")
	raised, ended, firing := b.watch.Counts(b.now)
	if raised != 1 || ended != 0 || firing != 1 {
		t.Errorf("raised %d, ended %d, firing %d, want 1, 0, 1", raised, ended, firing)
	}
	b.mustSweep(map[string]float64{"db1": 10})
	b.want("db@example.org web@example.org")
}

func TestAlertsSurviveARestart(t *testing.T) {
	b := newBench(t)
	b.mustSweep(map[string]float64{"web1": 90, "db1": 90})
	b.want("web@example.org") // db1's is pending
	b.restart()
	b.mustSweep(map[string]float64{"web1": 90, "db1": 90})
	b.want("")
	b.restart()
	b.mustSweep(map[string]float64{"web1": 90, "db1": 90}) // since two minutes
	b.want("db@example.org web@example.org")
	b.restart()
	b.mustSweep(map[string]float64{"web1": 10, "db1": 10})
	b.want("db@example.org web@example.org")
	b.restart()
	if open, over, told := len(b.watch.open), len(b.watch.over), len(b.watch.told); open+over+told != 0 {
		t.Errorf("after all is over %d are open, %d over, %d told", open, over, told)
	}
}

func TestMailServerAwayDelaysMails(t *testing.T) {
	for _, restart := range []bool{false, true} {
		t.Run(fmt.Sprint("restart=", restart), func(t *testing.T) {
			b := newBench(t)
			b.sender.away = errors.New("connection refused")
			err := b.sweep(map[string]float64{"web1": 90, "web2": 10})
			if !errors.Is(err, ErrUnusable) || !strings.Contains(err.Error(), "web@example.org") {
				t.Errorf("SweepEnded = %v, want whose mail is not sent", err)
			}
			if err := b.sweep(map[string]float64{"web1": 50, "web2": 90}); err == nil {
				t.Error("the second sweep has no error")
			}
			if restart {
				b.restart()
			}
			b.sender.away = nil
			b.mustSweep(map[string]float64{"web1": 50, "web2": 90})
			if n := len(b.sender.sent); n != 1 {
				t.Fatalf("%d mails, want one", n)
			}
			text := b.sender.sent[0].Text
			if !strings.Contains(text, "web1") || !strings.Contains(text, "web2") {
				t.Errorf("the mail lacks what happened while the mail server was away:\n%s", text)
			}
			b.sender.sent = nil
			b.mustSweep(map[string]float64{"web1": 50, "web2": 90})
			b.want("")
		})
	}
}

func TestRefusedReceiverKeepsNobodyBack(t *testing.T) {
	b := newBench(t)
	b.sender.refuse = "db@example.org"
	if err := b.sweep(map[string]float64{"db1": -1}); err == nil || !strings.Contains(err.Error(), "no such user") {
		t.Errorf("SweepEnded = %v, want the refusal", err)
	}
	b.want("web@example.org")
	b.mustSweep(map[string]float64{"db1": -1})
	b.want("") // neither again to the one nor to the other
}

func TestNobodyIsToldAgainBecauseAnotherIsNot(t *testing.T) {
	b := newBench(t)
	b.sender.later = "db@example.org"
	for i, want := range []string{"web@example.org", "", ""} {
		if err := b.sweep(map[string]float64{"db1": -1}); !errors.Is(err, ErrUnusable) {
			t.Errorf("sweep %d: SweepEnded = %v, want that a mail is not sent", i, err)
		}
		b.want(want)
	}
	b.sender.later = ""
	b.mustSweep(map[string]float64{"db1": -1})
	b.want("db@example.org")
	b.mustSweep(map[string]float64{"db1": 10})
	b.want("db@example.org web@example.org")
	if n := len(b.watch.accepted); n != 0 {
		t.Errorf("%d deliveries are remembered when all is told", n)
	}
}

func TestAlertThatEndsWhileItsMailIsSent(t *testing.T) {
	b := newBench(t)
	b.sender.during = func() {
		b.sender.during = nil
		b.watch.Visited(t.Context(), &visit.Visit{
			Host: "web1", Sweep: b.now.Add(time.Minute), Started: b.now.Add(time.Second), Report: &report.Report{
				Statistics: []report.Statistic{{Name: "memory.usage", Unit: "%", Kind: report.Gauge, Value: 10}},
			},
		})
	}
	b.mustSweep(map[string]float64{"web1": 90})
	b.want("web@example.org")
	b.mustSweep(map[string]float64{"web2": 10})
	if n := len(b.sender.sent); n != 1 || !strings.Contains(b.sender.sent[0].Subject, "over") {
		t.Errorf("%d mails, want one that says that it is over", n)
	}
	b.restart()
	if len(b.watch.open)+len(b.watch.over) != 0 {
		t.Errorf("stored as %+v and %+v, want nothing that is open or news", b.watch.open, b.watch.over)
	}
}

// TestMailDoesNotWaitForTheDatabase has the recorder beside the watch, as the controller has, and a database that does
// not answer.
func TestMailDoesNotWaitForTheDatabase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		silent := &silentAlerts{b.alerts}
		b.watch.store = silent
		r, _ := newTestRecorder(t, &fakeSaver{away: store.ErrUnavailable})
		observers := visit.Observers{r, b.watch}
		s := visit.Sweep{Time: sweepTime, Hosts: 1}
		observers.SweepStarted(t.Context(), s)
		v := aVisit("web1", "v0")
		v.Report, v.Failure = nil, failure.New(failure.Dial, failure.Refused, errors.New("connection refused"))
		observers.Visited(t.Context(), v)
		ctx, cancel := context.WithTimeout(t.Context(), Grace)
		defer cancel()
		if err := observers.SweepEnded(ctx, s); !errors.Is(err, ErrUnusable) {
			t.Errorf("SweepEnded = %v, want that the database could not be used", err)
		}
		b.want("web@example.org")
	})
}

// silentAlerts is a database that does not answer.
type silentAlerts struct{ *fakeAlerts }

func (s *silentAlerts) SaveAlerts(ctx context.Context, _ []store.Alert) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestAlertsWaitForTheDatabase(t *testing.T) {
	b := newBench(t)
	b.alerts.away = store.ErrUnavailable
	if err := b.sweep(map[string]float64{"web1": 90}); !errors.Is(err, ErrUnusable) {
		t.Errorf("SweepEnded = %v, want that the database could not be used", err)
	}
	b.want("web@example.org") // the mail does not wait
	b.alerts.away = nil
	b.mustSweep(map[string]float64{"web1": 90})
	b.want("")
	var states []string
	for _, a := range b.alerts.rows {
		states = append(states, a.State+" "+a.Notified)
	}
	if !slices.Equal(states, []string{"firing firing"}) {
		t.Errorf("stored: %v, want the alert as firing and told", states)
	}
}

func TestHostTakenOutOfTheConfigurationIsOver(t *testing.T) {
	b := newBench(t)
	b.mustSweep(map[string]float64{"web1": 90})
	b.want("web@example.org")
	b.config.Hosts = b.config.Hosts[1:]
	b.restart()
	b.mustSweep(map[string]float64{"web2": 10})
	if n := len(b.sender.sent); n != 1 || !strings.Contains(b.sender.sent[0].Text, alert.HostRemoved) {
		t.Fatalf("%d mails, want one that says that the host was removed", n)
	}
	b.want("all@example.org") // the groups's receivers are no longer known
	b.restart()
	b.mustSweep(map[string]float64{"web2": 10})
	b.want("")
}

func TestWithoutMailServerAlertsAreStored(t *testing.T) {
	b := newBench(t)
	b.watch.sender = nil
	b.mustSweep(map[string]float64{"web1": 90})
	b.mustSweep(map[string]float64{"web1": 90})
	for _, a := range b.alerts.rows {
		if a.State != "firing" || a.Notified != "" {
			t.Errorf("stored: %s, told %q, want firing, told of nothing", a.State, a.Notified)
		}
	}
	// A mail server that is configured later hears of what goes on.
	b.restart()
	b.mustSweep(map[string]float64{"web1": 90})
	b.want("web@example.org")
	// What ends without a mail server is over and done with.
	b.watch.sender = nil
	b.mustSweep(map[string]float64{"web1": 10})
	b.restart()
	b.mustSweep(map[string]float64{"web1": 10})
	b.want("")
}

func TestVisitsThatSayNothingChangeNothing(t *testing.T) {
	b := newBench(t)
	b.mustSweep(map[string]float64{"web1": 90})
	b.sender.sent = nil
	for _, kind := range []failure.Kind{failure.Busy, failure.Cancelled} {
		b.watch.Visited(t.Context(), &visit.Visit{
			Host: "web1", Sweep: b.now, Started: b.now.Add(time.Second),
			Failure: failure.New(failure.Dial, kind, errors.New("no news")),
		})
	}
	if open := b.watch.open["web1"]; len(open) != 1 || open[0].Statistic != "memory.usage" {
		t.Errorf("alerts = %+v, want that of memory.usage as it was", open)
	}
}
