package visit_test

import (
	"strings"
	"testing"

	"muster/internal/deploy/deploytest"
	"muster/internal/report"
	"muster/internal/testserver"
	"muster/internal/visit"
)

// TestTheRealClientIsAskedForLogs that hosts of this platform have not got, over OpenSSH's server: everything else is there.
func TestTheRealClientIsAskedForLogs(t *testing.T) {
	host := sshdHost(t, testserver.SSHD(t, testserver.SSHDOptions{}))
	s := newShelf("Security", "System")
	host.Logs = s
	v := visit.New(visit.Options{Clients: deploytest.Clients(t)}).Visit(t.Context(), host, sweep)
	for _, channel := range s.channels {
		wantLogs(t, v, channel, 0, 0, 1)
	}
	if _, ok := value(v.Report, "uptime"); !ok || len(s.parts) != 1 {
		t.Errorf("%d parts, and the report %+v", len(s.parts), v.Report)
	}
	for _, l := range v.Logs {
		if l.Trouble == nil || l.Trouble.Kind != report.TroubleUnsupported {
			t.Errorf("of %s it says %+v", l.Channel, l.Trouble)
		}
	}
	if said := complaints(v.Report); strings.Count(said, "Security: ") != 1 || strings.Count(said, "System: ") != 1 {
		t.Errorf("it says, once for each channel: %s", said)
	}
}

func TestAdviceOnLogs(t *testing.T) {
	for _, test := range []struct {
		channel string
		kind    report.TroubleKind
		word    string
	}{
		{"Security", report.TroubleDenied, `"Event Log Readers"`}, {report.Journal, report.TroubleDenied, "systemd-journal"},
		{"file:/var/log/auth.log", report.TroubleDenied, "read /var/log/auth.log"}, {"file:/x", report.TroubleAbsent, "path"},
		{"Securty", report.TroubleAbsent, "name"}, {"Security", report.TroubleQuery, "XPATH"},
		{"Security", report.TroubleUnsupported, "take the channel out"}, {"Security", report.TroubleSlow, "load"},
		{"Security", report.TroubleFailed, "reason"}, {"Security", "something new", "reason"},
	} {
		if got := visit.LogAdvice(test.channel, test.kind); !strings.Contains(got, test.word) {
			t.Errorf("on %s, %s: %q", test.channel, test.kind, got)
		}
	}
}
