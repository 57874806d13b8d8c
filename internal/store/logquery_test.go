package store

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"muster/internal/report"
)

// pick returns one of texts.
func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

// randomLogs returns parts with records whose every column is like others'.
func randomLogs(r *rand.Rand) []Logs {
	var parts []Logs
	next := make(map[channelKey]int64)
	for i := range 40 {
		of := channelKey{pick(r, "web1", "web2", "db", "dc1"), pick(r, "journal", "Security", "file:/var/log/x_y")}
		c := report.Logs{Channel: of.channel, Epoch: 1}
		read := noon().Add(time.Duration(i) * time.Minute)
		for range r.IntN(12) {
			next[of]++
			c.Records = append(c.Records, report.Record{
				ID: next[of], Time: read.Add(-time.Duration(r.IntN(120)) * time.Minute), // many at the same time
				Level: pick(r, report.Levels()...), Event: pick[int64](r, 0, 0, 1102, 4624, 4625, 4634, 70000), Source: pick(r, "sshd", "SSHD", "cron"),
				Computer: pick(r, "WEB1", "web_1", "web%1"), User: pick(r, "", "ann", "Ann", "bob_"), Message: pick(r, "", "100% done", "100 done", `C:\Win!dows`, "Größe"),
				Data: pick(r, nil, []report.Field{{Name: "a_b", Value: `say "x"`}}, []report.Field{{Name: "IpAddress", Value: pick(r, "10.0.0.1", "10.0.0.2")}},
					[]report.Field{{Name: "TargetUserName", Value: pick(r, "ann", `CORP\Ann`, `CORP\joann`, `CORP\bob_`)}}),
				Raw: pick(r, "", "raw"),
			})
		}
		if r.IntN(5) == 0 {
			c.Gaps = []report.Gap{{Epoch: 1, First: next[of] + 1, Last: next[of] + 3}}
			next[of] += 3
		}
		parts = append(parts, Logs{Visit: "v", Sweep: noon(), Host: of.host, Read: read, Channels: []report.Logs{c}})
	}
	return parts
}

// randomQuery returns a query of what randomLogs makes.
func randomQuery(r *rand.Rand, end int64) LogQuery {
	var q LogQuery
	maybe := func(do func()) {
		if r.IntN(4) == 0 {
			do()
		}
	}
	maybe(func() { q.Hosts = pick(r, []string{"web1"}, []string{"dc1", "web2", "dc1"}, []string{"no"}) })
	maybe(func() { q.Channels = pick(r, []string{"journal"}, []string{"Security", "file:/var/log/x_y"}) })
	maybe(func() { q.Sources = []string{"sshd"} })
	maybe(func() {
		events, err := report.ParseEvents(pick(r, "4625", "1102,4624-4625", "!4634", "4000-5000,!4624", "0-4700", "0", "4624,4624"))
		if err != nil {
			panic(err)
		}
		q.Events = events
	})
	maybe(func() { q.Levels = []report.Level{report.Error, report.AuditFailure, report.Warning} })
	maybe(func() { q.Since = noon().Add(time.Duration(r.IntN(60)-60) * time.Minute) })
	maybe(func() { q.Until = noon().Add(time.Duration(r.IntN(60)-30) * time.Minute) })
	maybe(func() { q.User = pick(r, "ANN", "bob_", "bob%", "ann") })
	maybe(func() { q.Address = "10.0.0.1" })
	maybe(func() { q.Logon = pick(r, LogonFailed, LogonAccepted, LogonAny) })
	maybe(func() {
		q.Text = pick(r, "100%", "WEB_1", "web1", `c:\win!`, `SAY "x"`, "a_b", "axb", "sshD", "größe", "!", "no such")
	})
	maybe(func() { q.After, q.Upto = 1+r.Int64N(end), r.Int64N(end) })
	maybe(func() { q.Upto = r.Int64N(end) })
	maybe(func() { q.Newest = 1 + r.IntN(30) })
	q.Gaps, q.Raw = r.IntN(2) == 0, r.IntN(2) == 0
	return q
}

// wants says in Go what the query says in SQL, of records alone.
func (q *LogQuery) wants(l *LogLine) bool {
	among := func(all []string, one string) bool { return len(all) == 0 || slices.Contains(all, one) }
	within := func(t time.Time) bool {
		return (q.Since.IsZero() || !t.Before(q.Since)) && (q.Until.IsZero() || t.Before(q.Until))
	}
	if !among(q.Hosts, l.Host) || !among(q.Channels, l.Channel) || l.Position <= q.After || q.Upto > 0 && l.Position > q.Upto {
		return false
	}
	if l.Gap != nil {
		return q.Gaps && within(l.Gap.Found)
	}
	r := l.Record
	text := strings.ToLower(q.Text)
	found := text == ""
	for _, s := range []string{r.Message, r.Source, r.User, r.Computer} {
		found = found || strings.Contains(strings.ToLower(s), text)
	}
	for _, f := range r.Data {
		found = found || strings.Contains(strings.ToLower(f.Name), text) || strings.Contains(strings.ToLower(f.Value), text)
	}
	return found && within(r.Time) && among(q.Sources, r.Source) && q.Events.Has(r.Event) && (q.Logon == "" || q.Logon == r.Logon.Outcome || q.Logon == LogonAny && r.Logon.Outcome != "") &&
		(len(q.Levels) == 0 || slices.Contains(q.Levels, r.Level)) && (q.Address == "" || q.Address == r.Logon.Address) &&
		(q.User == "" || strings.EqualFold(q.User, r.User) || strings.EqualFold(q.User, r.Logon.Account) ||
			strings.HasSuffix(strings.ToLower(r.Logon.Account), `\`+strings.ToLower(q.User)))
}

// answer returns the positions that a query is to give, of all lines in the order of their times.
func (q *LogQuery) answer(all []LogLine) []int64 {
	var wanted []LogLine
	for _, l := range all {
		if q.wants(&l) {
			wanted = append(wanted, l)
		}
	}
	if q.After > 0 {
		slices.SortFunc(wanted, func(a, b LogLine) int { return int(a.Position - b.Position) })
	} else if q.Newest > 0 {
		first := len(wanted)
		for n := 0; first > 0 && n < q.Newest; {
			if first--; wanted[first].Record != nil {
				n++
			}
		}
		for first < len(wanted) && wanted[first].Record == nil && slices.ContainsFunc(wanted, func(l LogLine) bool { return l.Record != nil }) {
			first++ // gaps before the first of the newest records
		}
		wanted = wanted[first:]
	}
	var positions []int64
	for _, l := range wanted {
		positions = append(positions, l.Position)
	}
	return positions
}

// testLogQueries compares what random queries give, in pages and steps of all sizes, with what they are to give.
func testLogQueries(t *testing.T, x *target) {
	s := x.open(t)
	s.logon = securityLogon
	r := rand.New(rand.NewPCG(1, 2))
	saveLogs(t, s, randomLogs(r)...)
	all := read(t, s, LogQuery{Gaps: true})
	end, err := s.LogEnd(t.Context())
	if err != nil || int64(len(all)) != end-1 || end < 100 {
		t.Fatalf("%d lines, the end is %d, %v", len(all), end, err)
	}
	some := 0
	for i := range scaled(400, 100) {
		s.reads = logPages{step: 1 + r.IntN(40), rows: 1 + r.IntN(20), bytes: 1 + r.IntN(20<<10)}
		q := randomQuery(r, end)
		var got []int64
		for _, l := range read(t, s, q) {
			got = append(got, l.Position)
			if l.Record != nil && l.Record.Raw != "" && !q.Raw {
				t.Errorf("%+v: a raw form was not asked for", q)
			}
		}
		want := q.answer(all)
		if !slices.Equal(got, want) {
			t.Errorf("%d: %+v by %+v gives\n%v, want\n%v", i, q, s.reads, got, want)
		}
		if len(want) > 0 {
			some++
		}
	}
	if some < 50 {
		t.Errorf("only %d queries have an answer at all", some)
	}
}

// testLogPlans: what is asked of many records is found by an index, in its order.
func testLogPlans(t *testing.T, x *target) {
	s := x.open(t)
	s.logon = securityLogon
	records := scaled(300, 60)
	for i := range 40 {
		saveLogs(t, s, part(fmt.Sprintf("dc%d", i), "Security", noon().Add(time.Duration(i)*time.Minute), 1, records, securityRecord))
	}
	analyze := "ANALYZE"
	if s.engine.name == "mysql" {
		analyze = "ANALYZE TABLE logs"
	}
	if err := s.db.Exec(analyze).Error; err != nil {
		t.Fatal(err)
	}
	s.reads.step = 50
	var statements []string
	note := func(tx *gorm.DB) {
		statements = append(statements, tx.Explain(tx.Statement.SQL.String(), tx.Statement.Vars...))
	}
	for _, register := range []func(string, func(*gorm.DB)) error{
		s.db.Callback().Query().After("gorm:query").Register, s.db.Callback().Row().After("gorm:row").Register,
	} {
		if err := register("test:plans", note); err != nil {
			t.Fatal(err)
		}
	}
	failed, err := report.ParseEvents("4625")
	if err != nil {
		t.Fatal(err)
	}
	since := noon().Add(20 * time.Minute)
	for name, c := range map[string]struct {
		query LogQuery
		index string
	}{
		"one host":            {LogQuery{Hosts: []string{"dc7"}, Newest: 10}, "logs_host"},
		"two hosts":           {LogQuery{Hosts: []string{"dc7", "dc8"}, Since: noon().Add(8 * time.Minute), Text: "user9"}, "logs_host"},
		"the newest of all":   {LogQuery{Newest: 10}, "logs_time"},
		"a text in a span":    {LogQuery{Since: since, Until: since.Add(time.Minute), Text: "user9"}, "logs_time"},
		"an event since then": {LogQuery{Events: failed, Since: noon().Add(41 * time.Minute)}, "logs_event"},
		"failed logons":       {LogQuery{Logon: LogonFailed, Newest: 20}, "logs_logon"},
		"all logons":          {LogQuery{Logon: LogonAny, Newest: 20}, "logs_logon"},
		"following":           {LogQuery{After: 1000, Upto: 1200, Hosts: []string{"dc7"}}, "PRIMARY|logs_pkey"},
	} {
		statements = nil
		read(t, s, c.query)
		if len(statements) == 0 {
			t.Fatal("nothing was asked")
		}
		for _, statement := range statements {
			checkLogPlan(t, s, name, statement, c.index)
		}
	}
}

// testLogDocs: the query of the docs for failed logons goes along their index.
func testLogDocs(t *testing.T, x *target) {
	s := x.open(t)
	s.logon = securityLogon
	for i := range 20 {
		saveLogs(t, s, part(fmt.Sprintf("dc%d", i), "Security", time.Now().AddDate(0, 0, -i), 1, scaled(200, 50), securityRecord))
	}
	for _, q := range readQuestions(t) {
		if strings.HasPrefix(q.title, "Who failed") {
			explain := "EXPLAIN "
			if s.engine.name == "sqlite" {
				explain = "EXPLAIN QUERY PLAN "
			}
			plan := render(table(t, s, explain+q.query(s.engine.name)))
			if !strings.Contains(plan, "logs_logon") || regexp.MustCompile(`Seq Scan|SCAN logs|\| ALL \|`).MatchString(plan) {
				t.Errorf("it reads more than failed logons:\n%s", plan)
			}
			return
		}
	}
	t.Error("the docs do not say who failed to log in")
}

// checkLogPlan sees to it that a statement goes along an index, and sorts nothing but rows of the same time.
func checkLogPlan(t *testing.T, s *Store, name, statement, index string) {
	t.Helper()
	explain, good, bad := "EXPLAIN ", regexp.MustCompile(`\| (`+index+`) \|`), regexp.MustCompile("filesort|temporary| ALL ")
	switch s.engine.name {
	case "sqlite":
		explain, good, bad = "EXPLAIN QUERY PLAN ", regexp.MustCompile(`USING (COVERING )?INDEX (`+index+`)\b|USING INTEGER PRIMARY KEY`), regexp.MustCompile("TEMP B-TREE")
	case "postgres":
		good = regexp.MustCompile(`(Index|Index Only|Bitmap Index) Scan (Backward )?(using|on) (` + index + `|logs_time)\b`) // where that has fewer rows
		bad = regexp.MustCompile("Seq Scan")
	}
	plan := render(table(t, s, explain+statement))
	if strings.Contains(plan, "Impossible WHERE") {
		return // it was found out that there is no more
	}
	if !good.MatchString(plan) || bad.MatchString(plan) {
		t.Errorf("%s: it does not go along %s:\n%s\n%s", name, index, statement, plan)
	}
}
