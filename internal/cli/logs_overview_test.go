package cli

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"muster/internal/config"
	"muster/internal/controller"
	"muster/internal/cursors"
	"muster/internal/failure"
	"muster/internal/health"
	"muster/internal/report"
	"muster/internal/visit"
)

func trouble(kind report.TroubleKind, text string) *report.Trouble {
	return &report.Trouble{Kind: kind, Text: text}
}

func TestLogsThatCantBeReadAreProblems(t *testing.T) {
	hosts := []config.Host{{Name: "dc1", Address: "10.0.0.1", Port: 22}, {Name: "dc2", Address: "10.0.0.2", Port: 22}, {Name: "web1"}}
	c := &controller.Checked{Visits: []*visit.Visit{
		{Host: "dc1", Logs: []visit.ChannelRead{{Channel: "Security", Trouble: trouble(report.TroubleDenied, "10.0.0.1: access is denied")}, {Channel: "System"}}},
		{Host: "dc2", Logs: []visit.ChannelRead{{Channel: "Security", Trouble: trouble(report.TroubleDenied, "10.0.0.2: access is denied")}}},
		{Host: "web1", Logs: []visit.ChannelRead{{Channel: "journal", Trouble: trouble(report.TroubleSlow, "no answer")}}},
		failing("web2", failure.Dial, failure.Refused, "connection refused", "look"),
	}}
	problems := append(problemsOf(c, hosts), logProblems(c, hosts)...)
	var out strings.Builder
	printChecked(&out, &config.Config{}, c, problems)
	for _, want := range []string{
		"FAIL  web2: dial: connection refused\n",
		"FAIL  dc1, dc2: log Security: …: access is denied\n      add the user who logs in to the local group \"Event Log Readers\"\n",
		"FAIL  web1: log journal: no answer\n",
		": 3 well, 1 failed for 1 reason; 3 logs can't be read",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("there is no %q in\n%s", want, out.String())
		}
	}
	if statusOfCheck(&controller.Checked{Visits: c.Visits[:1]}) == nil {
		t.Error("a log that can't be read is nothing to the exit status")
	}
	if err := statusOfCheck(&controller.Checked{Visits: []*visit.Visit{{Logs: []visit.ChannelRead{{Channel: "x"}}}}}); err != nil {
		t.Errorf("logs that can be read: %v", err)
	}
}

func TestOneHostShowsItsLogs(t *testing.T) {
	v := &visit.Visit{Host: "dc1", Report: &report.Report{}, Logs: []visit.ChannelRead{
		{Channel: "Security", Trouble: trouble(report.TroubleDenied, "access\x1b is denied")},
		{Channel: "System", Records: 12, More: true}, {Channel: "Application"},
	}}
	var out strings.Builder
	printOutcome(&out, v)
	for _, want := range []string{
		"FAIL  log Security: access\\x1b is denied (denied)\n      add the user", "ok    log System: 12 records, and more to be read\n",
		"ok    log Application: 0 records\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("there is no %q in\n%s", want, out.String())
		}
	}
	j := conversationJSON(v, nil).Logs
	if len(j) != 3 || j[0].Kind != "denied" || j[0].Advice == "" || j[1].Records != 12 || !j[1].More || j[2].Kind != "" {
		t.Errorf("in JSON: %+v", j)
	}
}

func TestOverviewSaysWhichLogsAreBehind(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.Local)
	o := &controller.Overview{Facts: health.Facts{Logs: health.Logs{Paused: true}}}
	o.Undone.Logs = []cursors.Concern{
		{Host: "dc1", Channel: "Security", Behind: now.Add(-2 * time.Hour), Newest: now.Add(-24 * time.Hour)},
		{Host: "dc2", Channel: "Security", Trouble: report.TroubleDenied, Text: "access\x1b is denied", Since: now.Add(-time.Hour)},
	}
	for i := range logsMost {
		o.Undone.Logs = append(o.Undone.Logs, cursors.Concern{Host: fmt.Sprint("h", i), Channel: "journal", Behind: now})
	}
	var out strings.Builder
	printOverview(&out, o, now)
	for _, want := range []string{
		"logs: they are not read for now",
		"dc1: log Security: behind since 2026-03-01 10:00:00 (2h ago), read up to the records of 2026-02-28 12:00:00\n",
		"dc2: log Security: can't be read since 2026-03-01 11:00:00 (denied): access\\x1b is denied\n    add the user",
		"logs: and 2 logs more; --json has them\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("there is no %q in\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "h19") {
		t.Errorf("it names too many:\n%s", out.String())
	}
}

func TestOverviewSaysWhichLogsWaitForTheDatabase(t *testing.T) {
	for want, logs := range map[string]health.Logs{
		"": {},
		"logs: 1 host has some that are not read until the database has said where their reading stands\n":                            {Waiting: 1},
		"logs: 2 hosts have some that are not read until the database has said where their reading stands: connection refused\\x1b\n": {Waiting: 2, Reason: "connection refused\x1b"},
	} {
		var out strings.Builder
		printOverview(&out, &controller.Overview{Facts: health.Facts{Logs: logs}}, time.Now())
		if out.String() != want {
			t.Errorf("it says\n%swant\n%s", out.String(), want)
		}
	}
}

func TestSummaryCountsLogRecords(t *testing.T) {
	var out strings.Builder
	printSummary(&out, controller.Summary{Hosts: 1, Visited: 1, Records: 12345})
	if !strings.Contains(out.String(), "1 reported, 0 failed, 12345 log records; no alerts") {
		t.Errorf("it says %q", out.String())
	}
	for unread, want := range map[int]string{
		1: "2 reported, 0 failed, 5 log records, 1 host with logs that can't be read; 1 alert (1 new, 0 over)\n",
		2: "2 reported, 0 failed, 5 log records, 2 hosts with logs that can't be read; 1 alert (1 new, 0 over)\n",
	} {
		out.Reset()
		printSummary(&out, controller.Summary{Hosts: 2, Visited: 2, Records: 5, Unread: unread, Firing: 1, Raised: 1})
		if !strings.HasSuffix(out.String(), want) {
			t.Errorf("it says %q, not %q", out.String(), want)
		}
	}
	if j := summaryJSON(controller.Summary{Records: 3, Unread: 2}); j.Records != 3 || j.Unread != 2 {
		t.Errorf("in JSON: %+v", j)
	}
}
