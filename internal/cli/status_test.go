package cli

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"charm.land/lipgloss/v2"

	"muster/internal/controller"
	"muster/internal/cursors"
	"muster/internal/report"
	"muster/internal/store"
)

var statusNow = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func statusHosts() []store.HostStatus {
	return []store.HostStatus{
		{
			Host: "web1", Groups: "web/front", Address: "10.0.0.11:22", Visited: statusNow.Add(-42 * time.Second),
			Succeeded: statusNow.Add(-42 * time.Second),
			Latest:    map[string]float64{"cpu.usage": 12.34, "memory.usage": 55, "uptime": 90061},
		},
		{
			Host: "db1", Groups: "db", Address: "10.0.0.21:22", Visited: statusNow.Add(-time.Hour),
			Succeeded: statusNow.Add(-48 * time.Hour), Stage: "dial", Kind: "refused", Error: "connection refused\x1b[31m",
			Advice: "check that sshd runs",
			Latest: map[string]float64{"memory.usage": 91.5},
			Alerts: []store.Alert{
				{Statistic: "memory.usage", Unit: "%", Value: 91.5, Limit: "above 90 %", Since: statusNow.Add(-time.Hour)},
				{Statistic: "disk.usage", Instance: "/v\u202ear", Unit: "%", Value: 99, Limit: "above 85 %", Since: statusNow.Add(-time.Minute)},
				{Statistic: "visit.failed", Unit: "1", Value: 1, Limit: "above 0", Since: statusNow.Add(-time.Hour), Text: "refused"},
			},
		},
		{Host: "new1", Groups: "web"},
	}
}

func TestPrintStatus(t *testing.T) {
	var out bytes.Buffer
	if err := printStatus(&out, statusHosts(), nil, statusNow); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(out.String(), "\n")
	for i, want := range []string{
		"HOST  GROUP      LAST VISIT        CPU  MEMORY  UPTIME  ALERTS",
		"─",
		"web1  web/front  42s ago        12.3 %    55 %   1d 1h",
		`db1   db         1h ago, refused     -  91.5 %       -  disk.usage /v\u202ear, memory.usage, and 1 more`,
		"new1  web        never               -       -       -",
	} {
		if got := strings.Join(strings.Fields(lines[i]), " "); !strings.HasPrefix(got, strings.Join(strings.Fields(want), " ")) {
			t.Errorf("line %d: %q, want %q", i+1, got, want)
		}
	}
	for _, want := range []string{
		`db1 (10.0.0.21:22): dial: connection refused\x1b[31m`, "    check that sshd runs\n    its values are from the last report, 2d ago\n",
		"db1: memory.usage is 91.5 %, limit above 90 %, since ",
		`db1: disk.usage /v\u202ear is 99 %, limit above 85 %`,
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("status does not show %q:\n%s", want, out.String())
		}
	}
	if strings.Count(out.String(), "visit.failed") != 0 {
		t.Errorf("the failed visit is shown twice:\n%s", out.String())
	}
	if strings.ContainsAny(out.String(), "\x1b\u202e") {
		t.Errorf("status lets control characters through:\n%q", out.String())
	}
}

// What an alert says of logs is said once, and where it is known why a log can't be read, only there.
func TestPrintStatusOfLogs(t *testing.T) {
	o := &controller.Overview{}
	o.Undone.Logs = []cursors.Concern{{Host: "dc1", Channel: "System", Trouble: report.TroubleDenied, Since: statusNow}}
	hosts := []store.HostStatus{{Host: "dc1", Visited: statusNow, Alerts: []store.Alert{
		{Statistic: report.LogsFailed, Instance: "System", Unit: "1", Value: 1, Limit: "above 0", Since: statusNow},
		{Statistic: report.LogsFailed, Instance: "Application", Unit: "1", Value: 1, Limit: "above 0", Since: statusNow},
		{
			Statistic: report.LogsMatches, Instance: "file:/srv/www/shop.example.org/log/error.log, levels error", Unit: "1",
			Value: 12, Limit: "above 10 within 10m", Since: statusNow, Text: "11:51:12 to 11:59:48 UTC; the last: a\u202eb",
		},
	}}}
	var out bytes.Buffer
	if err := printStatus(&out, hosts, unreadLogs(o), statusNow); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"logs.failed Application, logs.failed System, and 1 more\n",
		"dc1: logs.failed Application is 1, limit above 0, since ",
		"dc1: 12 records of file:/srv/www/shop.example.org/log/error.log, levels error, limit above 10 within 10m, since ",
		"\n    11:51:12 to 11:59:48 UTC; the last: a\\u202eb\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("status does not show %q:\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "dc1: logs.failed System") {
		t.Errorf("the trouble that is told elsewhere is told here, too:\n%s", out.String())
	}
	if got := alertsOf(store.HostStatus{Alerts: hosts[0].Alerts[2:]}); got != "file:…/error.log, levels error" {
		t.Errorf("in the table: %q", got)
	}
}

func TestSelectHosts(t *testing.T) {
	for _, c := range []struct {
		names []string
		want  string
	}{
		{nil, "web1 db1 new1"},
		{[]string{"db1"}, "db1"},
		{[]string{"web"}, "web1 new1"},
		{[]string{"front", "new1"}, "web1 new1"},
	} {
		hosts, err := selectHosts(statusHosts(), c.names)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, h := range hosts {
			got = append(got, h.Host)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("selectHosts(%q) = %q, want %q", c.names, got, c.want)
		}
	}
	if _, err := selectHosts(statusHosts(), []string{"web1", "nobody"}); err == nil || !strings.Contains(err.Error(), "nobody") {
		t.Errorf("an unknown host: %v, want an error that names it", err)
	}
}

// TestStatusFitsTheTerminal prints into terminals of many widths: no line of the table is wider, and what matters stays.
func TestStatusFitsTheTerminal(t *testing.T) {
	hosts := statusHosts()
	hosts[0].Host = "a-host-with-a-long-name.department.example.org"
	hosts[2].Groups = "production/frontend/europe"
	for width := 8; width <= 140; width++ {
		var out bytes.Buffer
		if err := printTable(&out, hosts, statusNow, width); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimRight(out.String(), "\n"), "\n")
		if len(lines) != 2+len(hosts) {
			t.Fatalf("width %d: %d lines for %d hosts:\n%s", width, len(lines), len(hosts), out.String())
		}
		for _, line := range lines {
			if lipgloss.Width(line) > width {
				t.Errorf("width %d: a line of %d: %q", width, lipgloss.Width(line), line)
			}
		}
		header := strings.Join(strings.Fields(lines[0]), " ")
		for least, want := range map[int]string{8: "HOST", 30: "LAST VISIT", 40: "ALERTS", 80: "CPU", 140: "GROUP"} {
			if width >= least && !strings.Contains(header, want) {
				t.Errorf("width %d: the columns are %s, want %s among them", width, header, want)
			}
		}
	}
}

// TestAlertsInWords prints the alerts of a host whatever their order in the database: by statistic and instance, and
// below one another.
func TestAlertsInWords(t *testing.T) {
	alerts := []store.Alert{
		{Statistic: "disk.usage", Instance: "/var", Unit: "%"}, {Statistic: "cpu.usage", Unit: "%"},
		{Statistic: "disk.usage", Instance: "/", Unit: "%"}, {Statistic: "load.1", Unit: "1"},
	}
	for range 4 {
		alerts = append(alerts[1:], alerts[0])
		var out bytes.Buffer
		hosts := []store.HostStatus{{Host: "web1", Alerts: alerts}, {Host: "web2", Alerts: alerts[:1]}}
		if err := printStatus(&out, hosts, nil, statusNow); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out.String(), "cpu.usage, disk.usage /, and 2 more") {
			t.Errorf("the table:\n%s", out.String())
		}
		_, words, _ := strings.Cut(out.String(), "\n\n")
		var got []string
		for line := range strings.Lines(words) {
			name, _, _ := strings.Cut(strings.TrimSpace(line), " is ")
			got = append(got, name)
		}
		want := []string{"web1: cpu.usage", "web1: disk.usage /", "web1: disk.usage /var", "web1: load.1", "", "web2: "}
		want[5] = "web2: " + alertsOf(hosts[1])
		if !slices.Equal(got, want) {
			t.Errorf("the words are\n%q, want\n%q", got, want)
		}
	}
}

func TestStatusJSONHasInstances(t *testing.T) {
	hosts := []store.HostStatus{{Host: "a", Instances: []store.InstanceValue{{Name: "disk.usage", Instance: "/", Unit: "%", Value: 50}}}, {Host: "b"}}
	var out bytes.Buffer
	if err := writeJSON(&out, statusJSON(hosts)); err != nil {
		t.Fatal(err)
	}
	text := strings.Join(strings.Fields(out.String()), "")
	if !strings.Contains(text, `"instances":[{"statistic":"disk.usage","instance":"/","unit":"%","value":50}]`) ||
		!strings.Contains(text, `"instances":[]`) {
		t.Errorf("JSON:\n%s", out.String())
	}
}
