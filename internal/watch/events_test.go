package watch

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"muster/internal/alert"
	"muster/internal/config"
	"muster/internal/entry"
	"muster/internal/queue"
	"muster/internal/report"
)

// logBench is a watch of one host and what its visits bring of its logs. A sweep is a minute.
type logBench struct {
	t       *testing.T
	world   *world
	process *process
	watch   *Watch
	hosts   []config.Host
	now     time.Time
	visits  int
	id      int64
}

// watchedHost has a limit of two failed logons in ten minutes, and the clearing of its log mailed.
func watchedHost() config.Host {
	only := func(id int64) report.Filter { return report.Filter{Events: report.Events{{First: id, Last: id}}} }
	return config.Host{
		Name: "h", Groups: []string{"g"}, Mail: []string{"a@example.org"},
		EventLimits: []config.EventLimit{{Records: config.Records{Channel: "Security", Filter: only(4625)}, Above: 2, For: 10 * time.Minute}},
		MailRecords: []config.Records{{Channel: "Security", Filter: only(1102)}},
	}
}

func newLogBench(t *testing.T, hosts ...config.Host) *logBench {
	b := &logBench{t: t, world: newWorld(), hosts: hosts, now: noon}
	b.start()
	return b
}

// start begins a process, after the end of the one before.
func (b *logBench) start() {
	b.process = b.world.process(nil)
	b.watch = b.process.watch(b.t, b.hosts, b.now)
}

func (b *logBench) do(e ...queue.Entry) {
	b.t.Helper()
	b.world.add(e...)
	if !b.watch.work(b.t.Context(), b.process.read(1)) {
		b.t.Fatal("work is given up")
	}
}

func (b *logBench) visitID() string { return fmt.Sprint("v", b.visits) }

// batch returns records of an event, so long ago.
func (b *logBench) batch(event int64, ago ...time.Duration) report.Logs {
	l := report.Logs{Channel: "Security", Epoch: 1}
	for _, d := range ago {
		b.id++
		l.Records = append(l.Records, report.Record{ID: b.id, Time: b.now.Add(-d), Event: event, Source: "audit", Message: fmt.Sprint("no ", b.id)})
	}
	return l
}

func (b *logBench) logs(channels ...report.Logs) {
	b.t.Helper()
	b.do(logsEntry(b.t, &entry.Logs{Visit: b.visitID(), Sweep: b.now, Host: "h", Read: b.now.Add(time.Second), Channels: channels}))
}

// ends ends a visit and its sweep, and returns what somebody was told by it.
func (b *logBench) ends(change ...func(*entry.Visit)) string {
	b.t.Helper()
	before := told(b.world)
	v := &entry.Visit{ID: b.visitID(), Host: "h", Sweep: b.now, Started: b.now, Report: &report.Report{Time: b.now}}
	for _, c := range change {
		c(v)
	}
	b.do(visitEntry(b.t, v))
	b.do(sweepEntry(b.t, &entry.Sweep{Time: b.now, Ended: b.now.Add(2 * time.Second), Hosts: 1}))
	b.visits++
	b.now = b.now.Add(time.Minute)
	var news []string
	for n, times := range told(b.world) {
		if times > before[n] {
			news = append(news, n)
		}
		if times > 1 {
			b.t.Errorf("told %d times of %s", times, n)
		}
	}
	slices.Sort(news)
	return strings.Join(news, ", ")
}

// told returns who was told how often of what: of alerts only their phase, as their ids say nothing.
func told(w *world) map[string]int {
	all := make(map[string]int)
	for to, notices := range w.told {
		for n, times := range notices {
			all[to[:1]+" "+n] = times
		}
	}
	return all
}

func (b *logBench) alerts() []alert.Alert { return b.watch.state.open("h") }

const (
	raised = "/firing"
	ended  = "/resolved"
)

func expect(t *testing.T, got, phase string) {
	t.Helper()
	if phase == "" && got != "" || !strings.HasSuffix(got, phase) || strings.Contains(got, ",") {
		t.Errorf("told: %q, want …%s", got, phase)
	}
}

func TestALimitOnLogRecords(t *testing.T) {
	b := newLogBench(t, watchedHost())
	other := b.batch(4625, 0, 0, 0)
	other.Channel = "System"
	b.id = 0
	b.logs(b.batch(4625, 3*time.Minute, time.Minute), b.batch(4624, 0, 0, 0), other)
	expect(t, b.ends(), "")
	b.logs(b.batch(4625, 0))
	if a := b.alerts(); len(a) != 1 || a[0].Value != 3 || a[0].Instance != "Security 4625" || a[0].Limit != "above 2 within 10m" ||
		a[0].Text != "2026-03-01 11:57:00 to 12:01:00 UTC; the last: 12:01:00 4625 audit: no 6" {
		t.Errorf("alerts: %+v", a)
	}
	expect(t, b.ends(), raised)
	for range 5 {
		expect(t, b.ends(), "")
	}
	if a := b.alerts(); len(a) != 1 || a[0].Value != 3 {
		t.Errorf("within the time of the limit: %+v", a)
	}
	expect(t, b.ends(), ended) // 11:57 is ten minutes ago
	expect(t, b.ends(), "")
}

// TestALateBatchRaisesItsAlertOnce: what came to light hours later is told all the same, and does not last.
func TestALateBatchRaisesItsAlertOnce(t *testing.T) {
	b := newLogBench(t, watchedHost())
	first := b.batch(4625, 3*time.Hour, 3*time.Hour-time.Minute)
	first.More = true
	b.logs(first)
	expect(t, b.ends(), "")
	b.logs(b.batch(4625, 3*time.Hour-5*time.Minute, time.Hour))
	// The clock of the server was set meanwhile: the visit seems to have begun after its records came.
	expect(t, b.ends(func(v *entry.Visit) { v.Started = b.now.Add(5 * time.Second) }), raised)
	expect(t, b.ends(), ended)
	b.logs(b.batch(4625, 50*time.Minute))
	expect(t, b.ends(), "")
}

func TestOldRecordsThatAreFarApartAreNoBurst(t *testing.T) {
	b := newLogBench(t, watchedHost())
	b.logs(b.batch(4625, 5*time.Hour, 4*time.Hour, 3*time.Hour, 2*time.Hour, time.Hour, 0))
	expect(t, b.ends(), "")
}

// TestABatchThatComesTwiceCountsOnce: as two entries, and with what was written since.
func TestABatchThatComesTwiceCountsOnce(t *testing.T) {
	b := newLogBench(t, watchedHost())
	l := b.batch(4625, time.Minute, 0)
	b.logs(l)
	b.logs(l)
	expect(t, b.ends(), "")
	b.logs(l)
	expect(t, b.ends(), "")
	b.start()
	l.Records = append(slices.Clone(l.Records), b.batch(1102, 0).Records...)
	b.logs(l)
	expect(t, b.ends(), "a h/security/1/3")
	b.logs(l)
	expect(t, b.ends(), "")
	again := b.batch(4625, 0)
	again.Epoch, again.Records[0].ID = 2, 1 // the log was cleared
	b.logs(again)
	expect(t, b.ends(), raised)
	b.logs(l) // a batch of the epoch before
	expect(t, b.ends(), "")
}

// TestAnAlertOnLogRecordsIsHeld where a visit does not show that it is over.
func TestAnAlertOnLogRecordsIsHeld(t *testing.T) {
	b := newLogBench(t, watchedHost())
	b.logs(b.batch(4625, 0, 0, 0))
	expect(t, b.ends(), raised)
	b.now = b.now.Add(time.Hour)
	expect(t, b.ends(func(v *entry.Visit) { v.Report, v.Error = nil, "refused" }), "")
	expect(t, b.ends(func(v *entry.Visit) {
		v.Report.Statistics = []report.Statistic{{Name: report.LogsFailed, Instance: "SECURITY", Unit: "1", Kind: report.Gauge, Value: 1}}
	}), "")
	behind := b.batch(4624, time.Hour)
	behind.More = true
	b.logs(behind)
	expect(t, b.ends(), "")
	b.start()
	// The host's clock is an hour behind: by it, the records are of now.
	expect(t, b.ends(func(v *entry.Visit) { v.Report.Time = noon.Add(time.Minute) }), "")
	expect(t, b.ends(), ended)
}

func TestALimitOnLogRecordsIsRemoved(t *testing.T) {
	b := newLogBench(t, watchedHost())
	b.logs(b.batch(4625, 0, 0, 0), b.batch(1102))
	expect(t, b.ends(), raised)
	without := watchedHost()
	without.EventLimits = nil
	b.watch.Set(Settings{Hosts: []config.Host{without}, Letters: b.process})
	expect(t, b.ends(), ended)
	b.logs(b.batch(1102, 0))
	if l := b.watch.state.logs("h"); len(l.Windows) != 0 || len(l.Seen) != 1 {
		t.Errorf("left of it: %+v", l)
	}
	b.watch.Set(Settings{Letters: b.process, Others: []string{"other@example.org"}})
	if l := b.watch.state.logs("h"); len(l.Seen) != 0 || len(l.Pending) != 1 {
		t.Errorf("left of a host that is gone: %+v", l)
	}
	b.do(sweepEntry(t, &entry.Sweep{Time: b.now, Ended: b.now}))
	b.do(sweepEntry(t, &entry.Sweep{Time: b.now.Add(time.Minute), Ended: b.now.Add(time.Minute)}))
	if n := told(b.world)["o h/security/1/4"]; n != 1 || !b.watch.state.logs("h").empty() {
		t.Errorf("the others are sent its record %d times, and left is %+v", n, b.watch.state.logs("h"))
	}
}

// TestOtherAlertsAndThoseOnLogRecords have nothing to do with each other: log records do not say that a host was visited.
func TestOtherAlertsAndThoseOnLogRecords(t *testing.T) {
	h, never := watchedHost(), 0.0
	h.Limits = []config.Limit{{Statistic: "visit.failed", Unit: "1", Above: &never}, {Statistic: "users.count", Unit: "1", Above: &never}}
	b := newLogBench(t, h)
	fails := func(v *entry.Visit) { v.Report, v.Error = nil, "refused" }
	expect(t, b.ends(fails), raised)
	b.logs(b.batch(4625, 0, 0, 0))
	if a := b.alerts(); len(a) != 2 {
		t.Fatalf("alerts: %+v", a)
	}
	expect(t, b.ends(fails), raised)
	expect(t, b.ends(func(v *entry.Visit) { v.Report.Failures = []report.Failure{{Source: "logs", Reason: "denied"}} }), ended)
	if a := b.alerts(); len(a) != 1 || a[0].Statistic != report.LogsMatches {
		t.Errorf("alerts: %+v", a)
	}
	expect(t, b.ends(func(v *entry.Visit) {
		v.Report.Statistics = []report.Statistic{{Name: "users.count", Unit: "1", Kind: report.Gauge, Value: 1}}
	}), raised)
	// A log that can't be read keeps no statistic from being seen to be gone.
	expect(t, b.ends(func(v *entry.Visit) { v.Report.Failures = []report.Failure{{Source: "logs", Reason: "denied"}} }), ended)
}

func TestRecordsAreMailedOnce(t *testing.T) {
	two := watchedHost()
	two.Mail = append(two.Mail, "b@example.org")
	b := newLogBench(t, two)
	b.world.waits = func(to string, _, now time.Time) bool { return to[0] == 'b' && now.Before(noon.Add(150*time.Second)) }
	b.logs(b.batch(1102, time.Hour), b.batch(4624, 0))
	expect(t, strings.ReplaceAll(b.ends(), ", ", " "), "a h/security/1/1 b h/security/1/1")
	b.logs(b.batch(1102, 0, 0))
	expect(t, strings.ReplaceAll(b.ends(), ", ", " "), "a h/security/1/3 a h/security/1/4") // b's mail before still waits
	b.start()
	expect(t, b.ends(), "")
	expect(t, strings.ReplaceAll(b.ends(), ", ", " "), "b h/security/1/3 b h/security/1/4")
	expect(t, b.ends(), "")
	if left := b.watch.state.logs("h").Pending; len(left) != 0 {
		t.Errorf("left: %+v", left)
	}
}

// TestManyRecordsAreCounted: what is not kept is told as a number, and nothing is dropped.
func TestManyRecordsAreCounted(t *testing.T) {
	two := watchedHost()
	two.Mail = append(two.Mail, "b@example.org")
	b := newLogBench(t, two)
	b.world.waits = func(to string, _, now time.Time) bool { return to[0] == 'b' && now.Before(noon.Add(time.Hour)) }
	const each = 40
	for range 50 {
		b.logs(b.batch(1102, make([]time.Duration, each)...))
		b.ends()
	}
	if l := b.watch.state.logs("h"); l.kept() != pendingHost || len(l.Pending) > pendingHost+3 {
		t.Errorf("%d are kept, in a list of %d", l.kept(), len(l.Pending))
	}
	b.now = noon.Add(2 * time.Hour)
	b.ends()
	b.ends()
	if left := b.watch.state.logs("h").Pending; len(left) != 0 {
		t.Errorf("left: %+v", left)
	}
	for to, notices := range b.world.told {
		n := 0
		for notice := range notices {
			more := 1
			if _, number, counted := strings.Cut(notice, "+"); counted {
				fmt.Sscan(number, &more)
			}
			n += more
		}
		if n != 50*each {
			t.Errorf("%s is told of %d records, there were %d", to, n, 50*each)
		}
	}
}

// TestAShardKeepsOnlySoMany records of all its hosts together.
func TestAShardKeepsOnlySoMany(t *testing.T) {
	var s state
	var names []string
	for i := 0; len(names) < 15; i++ {
		if name := fmt.Sprint("h", i); shardOf(name) == shardOf("h") {
			names = append(names, name)
		}
	}
	kept := 0
	for _, name := range names {
		l := s.logs(name)
		full := s.crowded(name)
		for n := range 90 {
			l.push(&pending{ID: fmt.Sprint(n), Record: new(report.Record)}, full())
		}
		s.putLogs(name, l)
		kept += l.kept()
		if l.kept() < 90 && l.Pending[len(l.Pending)-1].More != 90-l.kept() {
			t.Errorf("of %s %d are kept, and %d are counted", name, l.kept(), l.Pending[len(l.Pending)-1].More)
		}
	}
	if kept != pendingMost {
		t.Errorf("%d records are kept", kept)
	}
}

// TestRecordsAreMailedToNobody where there is no receiver: then they are not kept.
func TestRecordsAreMailedToNobody(t *testing.T) {
	h := watchedHost()
	h.Mail = nil
	b := newLogBench(t, h)
	b.logs(b.batch(1102, 0))
	if l := b.watch.state.logs("h"); len(l.Pending) != 0 {
		t.Errorf("%+v", l)
	}
	b.hosts[0].Mail = []string{"a@example.org"}
	b.watch.Set(Settings{Hosts: b.hosts})
	b.logs(b.batch(1102, 0))
	if l := b.watch.state.logs("h"); len(l.Pending) != 0 {
		t.Errorf("without a mail server: %+v", l)
	}
}

func TestHostileRecordsInAlertsAndMails(t *testing.T) {
	b := newLogBench(t, watchedHost())
	l := b.batch(4625, 0, 0, 0)
	for i := range l.Records {
		l.Records[i].Message = "a\x1b[31m\u202e\n" + strings.Repeat("é", 30000)
		l.Records[i].Source, l.Records[i].User = "s\x00"+strings.Repeat("x", 255), strings.Repeat("u\u200b", 100)
	}
	l.Records[2].Event = 1102
	b.logs(l, report.Logs{Channel: "Security", Epoch: 1, Records: []report.Record{{ID: 9, Event: 4625, Time: b.now}}})
	a := b.alerts()
	if len(a) != 1 || strings.ContainsAny(a[0].Text, "\x1b\u202e\n\x00") || len([]rune(a[0].Text)) > 700 {
		t.Errorf("alerts: %+v", a)
	}
	p := b.watch.state.logs("h").Pending
	if len(p) != 1 || strings.ContainsAny(p[0].Record.Message+p[0].Record.Source+p[0].Record.User, "\x1b\u202e\n\x00\u200b") ||
		len([]rune(p[0].Record.Message)) > mailedWords || len([]rune(p[0].Record.User)) > shownName || p[0].Record.Raw != "" {
		t.Errorf("pending: %+v", p[0].Record)
	}
}
