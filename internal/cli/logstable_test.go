package cli

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"charm.land/lipgloss/v2"

	"muster/internal/config"
	"muster/internal/report"
	"muster/internal/store"
)

// On a terminal, of whatever width, no line is wider, and the level is in colour.
func TestLogsFitTheTerminal(t *testing.T) {
	record := func(text string, level report.Level) *store.LogLine {
		return &store.LogLine{Host: "a-host-with-a-long-name.department.example.org", Channel: "Microsoft-Windows-PowerShell/Operational",
			Record: &store.LogRecord{Record: report.Record{Time: statusNow, Level: level, Event: 4104, Source: "x", Message: text}}}
	}
	long := strings.Repeat("Zürich 東京 \u202e ", 40)
	for width := 10; width <= 200; width += 3 {
		var out bytes.Buffer
		table := newLogTable(&out, &config.Config{}, false)
		table.width = width
		for _, level := range []report.Level{report.Error, report.Warning, report.Verbose, ""} {
			if err := table.print(record(long, level)); err != nil {
				t.Fatal(err)
			}
		}
		if err := table.print(&store.LogLine{Host: "h", Channel: "c", Gap: &store.LogGap{Gap: report.Gap{First: 3, Possible: true, Reason: long}, Found: statusNow}}); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(out.String()) {
			if got := lipgloss.Width(strings.TrimSuffix(line, "\n")); got > width {
				t.Errorf("width %d: a line of %d: %q", width, got, line)
			}
		}
		if strings.Contains(out.String(), "\u202e") || !strings.Contains(out.String(), "x: Z") && width > 40 {
			t.Errorf("width %d: %s", width, out.String())
		}
	}
}

// Columns are there where a record needs them, and long paths are cut where they say least.
func TestLogColumns(t *testing.T) {
	for channel, want := range map[string]string{
		"journal":                "2026-03-14 15:09:26  web1  journal               sshd: hello\n",
		"System":                 "2026-03-14 15:09:26  web1  System                        sshd: hello\n",
		"file:/var/log/auth.log": "2026-03-14 15:09:26  web1  file:/var/log/auth.log  sshd: hello\n",
		"file:/srv/www/shop.example.org/log/access.log": "2026-03-14 15:09:26  web1  file:…/log/access.log  sshd: hello\n",
		`file:C:\inetpub\logs\LogFiles\W3SVC1\u.log`:    `2026-03-14 15:09:26  web1  file:…\LogFiles\W3SVC1\u.log  sshd: hello` + "\n",
	} {
		cfg := &config.Config{Hosts: []config.Host{{Name: "web1", Logs: []config.Logs{{Channel: channel}}}}}
		var out bytes.Buffer
		table := newLogTable(&out, cfg, false)
		table.width, table.channel = 120, 0
		line := store.LogLine{Host: "web1", Channel: channel, Record: &store.LogRecord{Record: report.Record{
			Time: time.Date(2026, 3, 14, 15, 9, 26, 0, time.Local), Source: "sshd", Message: "hello"}}}
		if err := table.print(&line); err != nil {
			t.Fatal(err)
		}
		if got := out.String(); got != want {
			t.Errorf("%s:\n%q, want\n%q", channel, got, want)
		}
		out.Reset()
		if err := newLogTable(&out, cfg, false).print(&line); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out.String(), "  "+channel+"  ") {
			t.Errorf("a pipe does not get %q:\n%s", channel, out.String())
		}
	}
}
