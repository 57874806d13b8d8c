package visit_test

import (
	"encoding/json"
	"strings"
	"testing"

	"muster/internal/report"
	"muster/internal/sshtest"
	"muster/internal/visit"
)

// What a host says of its logs, beside their records, is stored, logged and shown: the password is not in it.
func TestPasswordIsNotInWhatIsSaidOfLogs(t *testing.T) {
	const password = `Pa$$"w\ord`
	quoted, err := json.Marshal(password)
	if err != nil {
		t.Fatal(err)
	}
	for name, say := range map[string]func(*report.Logs){
		"why an epoch began": func(l *report.Logs) { l.Why = "was " + password },
		"a gap": func(l *report.Logs) {
			l.Gaps = []report.Gap{{Epoch: l.Epoch, First: 1, Reason: "was " + password}}
		},
		"trouble": func(l *report.Logs) {
			l.Trouble = &report.Trouble{Kind: report.TroubleFailed, Text: "was " + password}
		},
		"a record": func(l *report.Logs) { l.Records[0].Message = "was " + password },
	} {
		t.Run(name, func(t *testing.T) {
			log := &hostLog{length: 2, change: func(_ int, _ *report.Request, r *report.Report) { say(&r.Logs[0]) }}
			f := newFake(t, func(o *sshtest.Options) { o.Password = password })
			f.becomes(log.client())
			host, kept := f.host(t), newShelf(authLog)
			host.Password, host.Logs = password, kept
			memory, logged := memoryLog()
			v := visit.New(visit.Options{Clients: f.clients, Logger: memory}).Visit(t.Context(), host, sweep)
			if v.Failure != nil || len(kept.parts) == 0 {
				t.Fatalf("%v, %d parts", v.Failure, len(kept.parts))
			}
			for what, of := range map[string]any{"the report": v.Report, "the channels": v.Logs, "its parts": kept.parts} {
				text, err := json.Marshal(of)
				if err != nil {
					t.Fatal(err)
				}
				if strings.Contains(string(text), strings.Trim(string(quoted), `"`)) {
					t.Errorf("%s has it: %s", what, text)
				}
			}
			text, err := json.Marshal(kept.parts)
			if err != nil || !strings.Contains(string(text), "was (password)") {
				t.Errorf("the parts are %s (%v)", text, err)
			}
			if strings.Contains(logged(), password) {
				t.Errorf("the log has it: %s", logged())
			}
		})
	}
}
