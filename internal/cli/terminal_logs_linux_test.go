package cli

import (
	"strings"
	"testing"
	"time"

	"muster/internal/config"
	"muster/internal/report"
	"muster/internal/store"
)

// TestLogsAskTheTerminal prints onto terminals: as wide as they are, with colours, and without what a record would do to them.
func TestLogsAskTheTerminal(t *testing.T) {
	for _, width := range []uint16{60, 100} {
		tty := newTerminal(t, width)
		cfg := &config.Config{Hosts: []config.Host{{Name: "web1", Logs: []config.Logs{{Channel: "journal"}}}}}
		table := newLogTable(tty.File, cfg, false)
		at := time.Date(2026, 3, 14, 15, 9, 26, 0, time.Local)
		for _, level := range []report.Level{report.Error, report.Information} {
			line := &store.LogLine{Host: "web1", Channel: "journal", Record: &store.LogRecord{Record: report.Record{
				Time: at, Level: level, Source: "sshd", Process: 1, Message: "\x1b[2J" + strings.Repeat("long ", 40)}}}
			if err := table.print(line); err != nil {
				t.Fatal(err)
			}
		}
		screen := tty.Screen()
		text := strings.Join(screen, "\n")
		if !strings.Contains(text, "2026-03-14 15:09:26  web1  journal  error") || !strings.Contains(text, `sshd[1]: \x1b[2Jlong long`) || !strings.Contains(text, "…") {
			t.Errorf("width %d:\n%s", width, text)
		}
		for _, line := range screen {
			if len([]rune(line)) > int(width) {
				t.Errorf("a line of %d cells on a terminal of %d: %q", len([]rune(line)), width, line)
			}
		}
	}
}
