package visit_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

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

// TestTheRealClientReadsAFile of more lines than a part brings, and then what is written after that.
func TestTheRealClientReadsAFile(t *testing.T) {
	host := sshdHost(t, testserver.SSHD(t, testserver.SSHDOptions{}))
	folder, err := os.MkdirTemp("", "muster-log-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	if err := os.Chmod(folder, 0o755); err != nil { // whoever is logged in as reads it
		t.Fatal(err)
	}
	path := filepath.Join(folder, "app.log")
	write := func(first, last int) {
		t.Helper()
		var b strings.Builder
		for n := first; n <= last; n++ {
			fmt.Fprintf(&b, "this is line number %d of a log\n", n)
		}
		file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := file.WriteString(b.String()); err != nil {
			t.Fatal(err)
		}
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s := newShelf("file:" + path)
	host.Logs = s
	visitor := visit.New(visit.Options{Clients: deploytest.Clients(t)})
	write(1, 12000)
	wantLogs(t, visitor.Visit(t.Context(), host, sweep), s.channels[0], 12000, 0, 0)
	write(12001, 12100)
	wantLogs(t, visitor.Visit(t.Context(), host, sweep.Add(time.Minute)), s.channels[0], 100, 0, 0)
	n := 0
	for _, p := range s.parts {
		for _, r := range p.Answers[0].Records {
			n++
			if want := fmt.Sprintf("this is line number %d of a log", n); r.Raw != want {
				t.Fatalf("record %d is %q, want %q", n, r.Raw, want)
			}
		}
	}
	if n != 12100 || len(s.parts) < 5 {
		t.Errorf("%d records came in %d parts", n, len(s.parts))
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
