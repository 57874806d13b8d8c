package faults_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"muster/internal/faults"
	"muster/internal/mail"
)

func at(second int) time.Time { return time.Date(2026, 3, 1, 12, 0, second, 0, time.UTC) }

// want fails the test unless the balance has losses in exactly the given accounts, one each.
func want(t *testing.T, b faults.Balance, titles ...string) {
	t.Helper()
	var found []string
	for _, a := range b.Accounts {
		for range a.Found {
			found = append(found, a.Title)
		}
	}
	slices.Sort(found)
	slices.Sort(titles)
	if !slices.Equal(found, titles) {
		t.Errorf("losses %q, want %q\n%+v", found, titles, b.Accounts)
	}
	if b.Losses() != len(titles) {
		t.Errorf("%d losses, want %d", b.Losses(), len(titles))
	}
}

const journal = `{"time":"2026-03-01T12:00:00Z","level":"INFO","msg":"muster","hosts":2}
{"time":"2026-03-01T12:00:00Z","level":"DEBUG","msg":"log of the client","host":"a","visit":"v0"}
{"msg":"visit ended","host":"a","visit":"v1","sweep":"2026-03-01T12:00:00.5Z","statistics":70}
{"msg":"visit failed","host":"b","visit":"v2","sweep":"2026-03-01T12:00:00.5Z","kind":"refused"}
{"msg":"sweep ended","sweep":"2026-03-01T12:00:00.5Z"}
{"msg":"visit ended","host":"a","visit":"v1","sweep":"2026-03-01T12:00:00.5Z","statistics":70}
{"msg":"visit ended","host":"a","vis
panic: oh
goroutine 1 [running]:
WARNING: DATA RACE
SIGQUIT: quit
goroutine 1 [running]:
fatal error: of the list
{"level":"INFO","msg":"muster"}
fatal error: oh
`

func TestJournal(t *testing.T) {
	j, err := faults.ReadJournal(strings.NewReader(journal))
	if err != nil {
		t.Fatal(err)
	}
	sweep := at(0).Add(500 * time.Millisecond)
	if !slices.Equal(j.Acks, []faults.Ack{{"a", "v1", sweep, 70, false}, {"b", "v2", sweep, -1, true}}) {
		t.Errorf("acknowledged: %+v", j.Acks)
	}
	queued, err := faults.ReadJournal(strings.NewReader(journal + `{"level":"DEBUG","msg":"visit kept","host":"b","visit":"v2"}
{"level":"DEBUG","msg":"visit kept","host":"c","visit":"v3"}
`))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(queued.Acks, []faults.Ack{{"b", "v2", sweep, -1, true}, {"c", "v3", time.Time{}, -1, false}}) {
		t.Errorf("acknowledged by the queue: %+v", queued.Acks)
	}
	if j.Sweeps != 1 || j.Torn != 1 || !slices.Equal(j.Breaches, []string{"panic: oh", "WARNING: DATA RACE", "fatal error: oh"}) {
		t.Errorf("%+v", j)
	}
	if _, err := faults.ReadJournal(strings.NewReader(strings.Repeat("x", 5<<20))); err == nil {
		t.Error("a line without end is read")
	}
}

// visits returns a book that balances.
func visits() faults.Visits {
	return faults.Visits{
		Acks: []faults.Ack{{"a", "v1", at(0), 2, false}, {"b", "v2", at(0), -1, true}, {"a", "v3", at(1), 2, false}},
		Rows: []faults.VisitRow{
			{Host: "a", Visit: "v1", Sweep: 1, Outcome: "ok", Statistics: 2, Log: faults.Numbered + "1"},
			{Host: "b", Visit: "v2", Sweep: 1, Outcome: "failed"},
			{Host: "a", Visit: "v3", Sweep: 2, Outcome: "ok", Statistics: 2, Log: "hello\n" + faults.Numbered + "2\n" + faults.Numbered + "4\n"},
		},
		Handed: map[string]int{"a": 4},
	}
}

func TestVisits(t *testing.T) {
	for name, test := range map[string]struct {
		spoil  func(*faults.Visits)
		titles []string
	}{
		"all is well": {func(*faults.Visits) {}, nil},
		"lost":        {func(b *faults.Visits) { b.Rows = b.Rows[1:] }, []string{faults.NotStored}},
		"twice": {func(b *faults.Visits) {
			b.Rows = append(b.Rows, faults.VisitRow{Host: "b", Visit: "v2", Sweep: 2, Outcome: "failed"})
		}, []string{faults.StoredTwice}},
		"one report, two visits": {func(b *faults.Visits) {
			again := b.Rows[0]
			again.Visit = "v4"
			b.Rows = append(b.Rows, again)
		}, []string{faults.NumberTwice}},
		"a number too high": {func(b *faults.Visits) { b.Handed["a"] = 3 }, []string{faults.NumberUnknown}},
		"no number":         {func(b *faults.Visits) { b.Rows[0].Log = "" }, []string{faults.NumberUnknown}},
		"a host that does not number": {func(b *faults.Visits) {
			delete(b.Handed, "a")
			b.Rows[0].Log = ""
		}, nil},
		"a value short":  {func(b *faults.Visits) { b.Rows[0].Statistics = 1 }, []string{faults.StoredInPart}},
		"the log is mum": {func(b *faults.Visits) { b.Acks[0].Statistics = -1 }, nil},
		"not logged":     {func(b *faults.Visits) { b.Acks = b.Acks[1:] }, nil},
		"not logged, and empty": {func(b *faults.Visits) {
			b.Acks = b.Acks[1:]
			b.Rows[0].Statistics = 0
		}, []string{faults.StoredInPart}},
		"values of nobody": {func(b *faults.Visits) { b.Alone = []string{"a, sweep 9"} }, []string{faults.StatisticsAlone}},
	} {
		t.Run(name, func(t *testing.T) {
			b := visits()
			test.spoil(&b)
			balance := b.Balance()
			want(t, balance, test.titles...)
			if balance.Entries != len(b.Acks) {
				t.Errorf("%d entries", balance.Entries)
			}
		})
	}
}

func alerts() faults.Alerts {
	return faults.Alerts{
		Clock:      faults.Clock{Run: faults.Span{From: at(0), To: at(50)}},
		Statistics: []string{faults.VisitFailed, "load.1"},
		Visits: []faults.VisitRow{
			{Host: "a", Visit: "v1", Started: at(1), Outcome: "failed"},
			{Host: "a", Visit: "v2", Started: at(2), Outcome: "failed"},
			{Host: "a", Visit: "v3", Started: at(3), Outcome: "ok"},
			{Host: "a", Visit: "v4", Started: at(4), Outcome: "ok", Exceeded: []string{"load.1"}},
			{Host: "a", Visit: "v5", Started: at(5), Outcome: "ok"},
			{Host: "b", Visit: "v6", Started: at(6), Outcome: "skipped"},
		},
		Alerts: []faults.AlertRow{
			{ID: "1", Host: "a", Statistic: faults.VisitFailed, State: "resolved", Since: at(1), Raised: at(1), Ended: at(3)},
			{ID: "2", Host: "a", Statistic: "load.1", State: "resolved", Since: at(4), Raised: at(4), Ended: at(5)},
		},
	}
}

func TestAlerts(t *testing.T) {
	for name, test := range map[string]struct {
		spoil  func(*faults.Alerts)
		titles []string
	}{
		"all is well":       {func(*faults.Alerts) {}, nil},
		"lost":              {func(b *faults.Alerts) { b.Alerts = b.Alerts[:1] }, []string{faults.NoAlert}},
		"began too late":    {func(b *faults.Alerts) { b.Alerts[0].Since = at(2) }, []string{faults.NoAlert}},
		"ended too early":   {func(b *faults.Alerts) { b.Alerts[0].Ended = at(1) }, []string{faults.NoAlert}},
		"began with nobody": {func(b *faults.Alerts) { b.Alerts[1].Since = at(3) }, []string{faults.WithoutCause}},
		"goes on":           {func(b *faults.Alerts) { b.Alerts[1].State, b.Alerts[1].Ended = "firing", time.Time{} }, []string{faults.StillOpen}},
		"two at once": {func(b *faults.Alerts) {
			b.Alerts = append(b.Alerts, faults.AlertRow{
				ID: "3", Host: "a", Statistic: faults.VisitFailed, State: "resolved", Since: at(2), Raised: at(2), Ended: at(3),
			})
		}, []string{faults.TwoAtOnce}},
		"of another cause": {func(b *faults.Alerts) {
			b.Alerts = append(b.Alerts, faults.AlertRow{ID: "4", Statistic: "database.away", State: "resolved", Since: at(7), Raised: at(7), Ended: at(9)})
		}, nil},
		"the clock jumped": {func(b *faults.Alerts) {
			b.Clock.Jumps = []faults.Span{{From: at(2), To: at(4)}}
			b.Alerts = nil
		}, nil},
		"the clock jumped long before": {func(b *faults.Alerts) {
			b.Clock.Run.From = at(-100)
			b.Clock.Jumps = []faults.Span{{From: at(-60), To: at(-50)}}
			b.Alerts = b.Alerts[1:]
		}, []string{faults.NoAlert, faults.NoAlert}},
		"the clock jumped under an alert that was open": {func(b *faults.Alerts) {
			// Seen well at 40 first, after the jump, which ended the alert with its own times.
			b.Visits = append(b.Visits, faults.VisitRow{Host: "b", Visit: "v8", Started: at(10), Outcome: "failed"},
				faults.VisitRow{Host: "b", Visit: "v9", Started: at(40), Outcome: "ok"})
			b.Clock.Jumps = []faults.Span{{From: at(20), To: at(30)}}
			b.Alerts = append(b.Alerts, faults.AlertRow{
				ID: "5", Host: "b", Statistic: faults.VisitFailed, State: "resolved", Since: at(40), Raised: at(40), Ended: at(40),
			})
		}, nil},
		"the clock jumped under an alert that was open, and visits were skipped": {func(b *faults.Alerts) {
			b.Visits = append(b.Visits, faults.VisitRow{Host: "b", Visit: "v8", Started: at(10), Outcome: "failed"},
				faults.VisitRow{Host: "b", Visit: "v9", Started: at(12), Outcome: "skipped"},
				faults.VisitRow{Host: "b", Visit: "v10", Started: at(40), Outcome: "ok"})
			b.Clock.Jumps = []faults.Span{{From: at(20), To: at(30)}}
		}, nil},
		"the clock jumped after an alert was over": {func(b *faults.Alerts) {
			b.Clock.Jumps = []faults.Span{{From: at(20), To: at(30)}}
			b.Alerts = b.Alerts[1:]
		}, []string{faults.NoAlert, faults.NoAlert}},
		"the server was in another year": {func(b *faults.Alerts) {
			b.Clock.Jumps = []faults.Span{{From: at(20), To: at(21)}}
			b.Visits = append(b.Visits, faults.VisitRow{Host: "b", Visit: "v7", Started: at(0).AddDate(1, 0, 0), Outcome: "failed"})
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			b := alerts()
			test.spoil(&b)
			want(t, b.Balance(), test.titles...)
		})
	}
}

// letter returns a mail as the product writes it, and as it is read back.
func letter(t *testing.T, id string, d mail.Digest) faults.Letter {
	t.Helper()
	d.To, d.Sweep = "a@bench.test", at(0)
	message, err := mail.Render(d)
	if err != nil {
		t.Fatal(err)
	}
	for _, raw := range []string{
		"Message-Id: <" + id + ">\nContent-Type: text/plain\n\n" + message.Text,
		"Message-Id: <" + id + ">\nContent-Type: multipart/alternative; boundary=x\n\n--x\nContent-Type: text/plain; charset=UTF-8\n\n" +
			message.Text + "\n--x\nContent-Type: text/html\n\n<p>\n--x--\n",
	} {
		l, err := faults.ParseLetter([]byte(raw), d.To)
		if err != nil {
			t.Fatal(err)
		}
		if len(l.Mentions) != len(d.Raised)+len(d.Ended) {
			t.Fatalf("%d mentions in\n%s", len(l.Mentions), message.Text)
		}
		if raw == "" || strings.Contains(raw, "multipart") {
			return l
		}
	}
	return faults.Letter{}
}

func item(a faults.AlertRow, over bool) mail.Item {
	i := mail.Item{
		Notice: a.ID, Host: a.Host, Groups: "bench", Statistic: a.Statistic, Unit: "1", Limit: "above 3", Value: 4, Since: a.Since,
		Text: "dial: refused since 2020-01-01 10:00, until 2020-01-01 10:01",
	}
	if over {
		i.Ended = a.Ended
	}
	return i
}

func TestLetters(t *testing.T) {
	rows := alerts().Alerts
	rows[1].Since, rows[1].Ended = at(65), at(130)
	raised := letter(t, "1", mail.Digest{Raised: []mail.Item{item(rows[0], false)}})
	both := letter(t, "2", mail.Digest{Raised: []mail.Item{item(rows[1], false)}, Ended: []mail.Item{item(rows[0], true)}})
	over := letter(t, "3", mail.Digest{Ended: []mail.Item{item(rows[1], true)}})
	again := raised
	again.ID = "<4>"
	foreign := raised
	foreign.To = "operators@bench.test"
	elsewhere := raised
	elsewhere.ID, elsewhere.Mentions = "<5>", slices.Clone(raised.Mentions)
	elsewhere.Mentions[0].Minute = at(0).Add(26 * time.Hour).Format("2006-01-02 15:04")
	far := func(b *faults.Letters) { b.Clock.Jumps = []faults.Span{{From: at(-60), To: at(-50)}} }
	jump := func(b *faults.Letters) { b.Clock.Jumps = []faults.Span{{From: at(1), To: at(2)}} }
	for name, test := range map[string]struct {
		letters []faults.Letter
		spoil   func(*faults.Letters)
		titles  []string
		notes   int
	}{
		"all is well":                  {[]faults.Letter{raised, both, over, foreign}, nil, nil, 0},
		"repeated under one id":        {[]faults.Letter{raised, both, over, over}, nil, nil, 1},
		"repeated under another":       {[]faults.Letter{raised, both, over, again}, nil, []string{faults.ToldTwice}, 0},
		"told when it was over":        {[]faults.Letter{both, over}, nil, nil, 1},
		"the end is lost":              {[]faults.Letter{raised, both}, nil, []string{faults.NotToldOver}, 0},
		"the end is lost, and a begin": {[]faults.Letter{raised, over}, nil, []string{faults.NotToldOver}, 1},
		"told of nothing":              {[]faults.Letter{raised, both, over}, func(b *faults.Letters) { b.Alerts = b.Alerts[1:] }, []string{faults.ToldTwice, faults.ToldTwice}, 0},
		"of another limit":             {[]faults.Letter{raised, both, over}, func(b *faults.Letters) { b.Statistics = b.Statistics[:1]; b.Alerts[1].Ended = at(999) }, nil, 0},
		"of a host without receiver": {[]faults.Letter{raised, both, over}, func(b *faults.Letters) {
			b.Alerts = append(b.Alerts, faults.AlertRow{Host: "x", Statistic: "load.1", Since: at(1), Raised: at(1)})
		}, nil, 0},
		"never raised":                          {nil, func(b *faults.Letters) { b.Alerts[0].Raised, b.Alerts[1].Raised = time.Time{}, time.Time{} }, nil, 0},
		"it goes on":                            {[]faults.Letter{raised}, func(b *faults.Letters) { b.Alerts = b.Alerts[:1]; b.Alerts[0].Ended = time.Time{} }, nil, 0},
		"it goes on, nobody was told":           {nil, func(b *faults.Letters) { b.Alerts = b.Alerts[:1]; b.Alerts[0].Ended = time.Time{} }, []string{faults.NotTold}, 0},
		"the clock jumped":                      {[]faults.Letter{raised, both, over}, jump, nil, 0},
		"jumped, told at other times":           {[]faults.Letter{raised, both, over}, func(b *faults.Letters) { jump(b); b.Alerts[0].Since = at(-600) }, nil, 0},
		"jumped, and ended elsewhere":           {[]faults.Letter{raised, both, over}, func(b *faults.Letters) { jump(b); b.Alerts[0].Since, b.Alerts[0].Ended = at(-600), at(70) }, nil, 0},
		"jumped, told twice":                    {[]faults.Letter{raised, both, over, again}, jump, []string{faults.ToldTwice}, 0},
		"jumped, the end is lost":               {[]faults.Letter{raised, both}, func(b *faults.Letters) { jump(b); b.Clock.Jumps[0].To = at(140) }, []string{faults.NotToldOver}, 0},
		"jumped long before, told at that time": {[]faults.Letter{elsewhere, both, over}, far, nil, 0},
		"jumped long before, told twice":        {[]faults.Letter{elsewhere, raised, both, over}, far, []string{faults.ToldTwice}, 0},
		"jumped, one more told at that time":    {[]faults.Letter{elsewhere, raised, both, over}, jump, []string{faults.ToldTwice}, 0},
		"jumped, and told at a time of no jump": {[]faults.Letter{elsewhere, both, over}, nil, []string{faults.ToldTwice}, 1},
		"jumped, told when it is over":          {[]faults.Letter{both, over}, jump, nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			b := faults.Letters{
				Letters: test.letters, Alerts: slices.Clone(rows), Hosts: map[string]string{"a@bench.test": "a"},
				Statistics: []string{faults.VisitFailed, "load.1"},
				Clock:      faults.Clock{Run: faults.Span{From: at(-3600), To: at(3600)}},
			}
			if test.spoil != nil {
				test.spoil(&b)
			}
			balance := b.Balance()
			want(t, balance, test.titles...)
			if len(balance.Notes) != test.notes {
				t.Errorf("notes: %q", balance.Notes)
			}
		})
	}
}

func TestALetterThatDoesNotShowAllIsRefused(t *testing.T) {
	var d mail.Digest
	for n := range 300 {
		d.Raised = append(d.Raised, mail.Item{Notice: fmt.Sprint(n), Host: fmt.Sprint("h", n), Statistic: "load.1", Limit: "above 3", Since: at(0)})
	}
	message, err := mail.Render(d)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := faults.ParseLetter([]byte("Message-Id: <1>\nContent-Type: text/plain\n\n"+message.Text), "a"); err == nil {
		t.Error("it is read")
	}
	for _, broken := range []string{"", "no header", "Message-Id: <1>\n\n", "Content-Type: multipart/mixed; boundary=x\n\n--x--\n"} {
		if _, err := faults.ParseLetter([]byte(broken), "a"); err == nil {
			t.Errorf("%q is read", broken)
		}
	}
}

func TestRemains(t *testing.T) {
	want(t, faults.Remains{Hosts: 2}.Balance())
	want(t, faults.Remains{Files: []string{"a: x"}, Processes: []string{"a: y"}}.Balance(), faults.FilesLeft, faults.ProcessesLeft)
}

func TestGrowth(t *testing.T) {
	want(t, faults.Growth{Gauges: []faults.Gauge{{"files", 10, 14, 4}, {"goroutines", 30, 20, 0}}}.Balance())
	want(t, faults.Growth{
		Gauges: []faults.Gauge{{"files", 10, 15, 4}}, Journal: faults.Journal{Breaches: []string{"panic: oh"}},
	}.Balance(), faults.Grown, faults.Crashed)
}

func TestLies(t *testing.T) {
	rows := []faults.VisitRow{
		{Visit: "1", Outcome: "ok"}, {Visit: "2", Outcome: "failed", Kind: "report-altered"}, {Visit: "3", Outcome: "ok"},
		{Visit: "4", Outcome: "failed", Kind: "report-invalid"}, {Visit: "5", Outcome: "failed", Kind: "timeout"},
	}
	want(t, faults.Lies{Rows: rows, Told: []faults.Told{{"1", "truth", true}, {"2", "lie", false}, {"5", "truth", true}, {"6", "lie", false}}}.Balance())
	want(t, faults.Lies{Rows: rows, Told: []faults.Told{{"3", "lie", false}, {"4", "truth", true}}}.Balance(), faults.Believed, faults.Disbelieved)
}

func TestTable(t *testing.T) {
	var text strings.Builder
	b := visits()
	b.Rows = nil
	err := faults.WriteTable(&text, map[faults.Kind]int{faults.KillServer: 410, faults.KillMail: 20, faults.Slow: 3},
		[]faults.Balance{b.Balance(), faults.Growth{Gauges: []faults.Gauge{{"files", 10, 15, 4}}}.Balance()})
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"server killed                 410\n", "kills in all                  430\n", "connections slowed            3\n",
		"visits  3        acknowledged and not stored        3\n", "server: grown: files from 10 to 15\n", "losses: 4\n",
		"server: files: 10 before, 15 after\n", "visits: acknowledged and not stored: a, visit v1, sweep 2026-03-01T12:00:00Z\n",
	} {
		if !strings.Contains(text.String(), line) {
			t.Errorf("no line %q in\n%s", line, text.String())
		}
	}
}
