package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"muster/internal/config"
	"muster/internal/report"
	"muster/internal/store"
)

// logsPlace is a folder with a configuration of three hosts, and a database with log records of two of them.
type logsPlace struct {
	config string
	store  *store.Store
	now    time.Time
}

func newLogsPlace(t *testing.T) *logsPlace {
	t.Helper()
	folder := t.TempDir()
	p := &logsPlace{config: filepath.Join(folder, "muster.xml"), now: time.Now().UTC().Truncate(time.Second)}
	text := fmt.Sprintf(`<muster xmlns="%s"><server data="data"/><database url="sqlite:m.db"/>
<group name="web" user="u" password="env:NONE"><host name="web1" address="10.0.0.1"/><host name="web2" address="10.0.0.2"/></group>
<group name="windows" user="u" password="env:NONE"><host name="dc1" address="10.0.0.3"/></group></muster>`, config.Namespace)
	t.Setenv("NONE", "x")
	if err := os.WriteFile(p.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var err error
	p.store, err = store.Open(t.Context(), store.Options{URL: "sqlite:" + filepath.Join(folder, "m.db"), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.store.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// save stores records of a channel, the first a minute after the other.
func (p *logsPlace) save(t *testing.T, host string, logs report.Logs) {
	t.Helper()
	logs.Next = report.Cursor{Epoch: logs.Epoch, Record: 1}
	part := store.Logs{Visit: fmt.Sprint(host, logs.Channel, logs.Epoch), Sweep: p.now, Host: host, Read: p.now, Channels: []report.Logs{logs}}
	if err := p.store.SaveLogs(t.Context(), []store.Logs{part}); err != nil {
		t.Fatal(err)
	}
}

// fill stores what most tests look at: lines of two hosts, events of one, a gap.
func (p *logsPlace) fill(t *testing.T) {
	at := func(ago time.Duration) time.Time { return p.now.Add(-ago) }
	p.save(t, "web1", report.Logs{Channel: "journal", Epoch: 1, Records: []report.Record{
		{ID: 1, Time: at(50 * time.Hour), Level: report.Information, Source: "cron", Process: 7, Message: "an old one"},
		{ID: 2, Time: at(9 * time.Minute), Level: report.Notice, Source: "sshd", Process: 8,
			Message: "Failed password for invalid user bob from 192.0.2.7 port 5555 ssh2", Raw: "RAW\x1b[31mLINE"},
		{ID: 3, Time: at(8 * time.Minute), Level: report.Error, Source: "app", Message: "broken\u202e \x1b[2J pipe\nnext line", Altered: true},
	}})
	p.save(t, "web2", report.Logs{Channel: "file:/var/log/auth.log", Epoch: 1,
		Records: []report.Record{{ID: 1, Time: at(7 * time.Minute), Source: "sshd", Process: 9, Message: "Accepted publickey for root from 192.0.2.9 port 1 ssh2: ED25519 SHA256:x"}},
		Gaps:    []report.Gap{{Epoch: 1, First: 5, Last: 9, Reason: "rotated away"}}})
	p.save(t, "dc1", report.Logs{Channel: "Security", Epoch: 1, Records: []report.Record{
		{ID: 1, Time: at(6 * time.Minute), Level: report.AuditFailure, Event: 4625, Source: "Microsoft-Windows-Security-Auditing", Computer: "dc1.corp",
			Data: []report.Field{{Name: "TargetUserName", Value: "alice"}, {Name: "TargetDomainName", Value: "CORP"}, {Name: "SubStatus", Value: "0xc000006a"},
				{Name: "LogonType", Value: "3"}, {Name: "IpAddress", Value: "10.0.0.5"}}, Raw: "<Event/>"},
		{ID: 2, Time: at(5 * time.Minute), Level: report.AuditSuccess, Event: 1102, Source: "Microsoft-Windows-Eventlog",
			Data: []report.Field{{Name: "SubjectUserName", Value: "eve"}}},
	}})
	p.save(t, "gone", report.Logs{Channel: "journal", Epoch: 1, Records: []report.Record{
		{ID: 1, Time: at(4 * time.Minute), Level: report.Warning, Source: "app", Message: "of a host that was removed"}}})
}

// logs runs muster logs and fails the test if it does not end with the status.
func (p *logsPlace) logs(t *testing.T, want int, args ...string) (stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	status := Main(append(append([]string{"logs"}, args...), "-c", p.config), Env{Stdout: &out, Stderr: &errs})
	if status != want {
		t.Fatalf("muster logs %q: status %d, want %d\n%s\n%s", args, status, want, out.String(), errs.String())
	}
	return out.String(), errs.String()
}

func TestLogs(t *testing.T) {
	p := newLogsPlace(t)
	p.fill(t)
	const (
		old, failed, broken, accepted = "an old one", "Failed password", "broken", "Accepted publickey"
		alice, cleared, removed, gaps = "failed to log on", "was cleared", "was removed", "are missing"
	)
	for _, test := range []struct {
		args []string
		want []string // each line has one of these, in this order
	}{
		{nil, []string{old, failed, broken, accepted, alice, cleared, removed, gaps}},
		{[]string{"-n", "2"}, []string{cleared, removed, gaps}},
		{[]string{"web1"}, []string{old, failed, broken}},
		{[]string{"web"}, []string{old, failed, broken, accepted, gaps}},
		{[]string{"*1"}, []string{old, failed, broken, alice, cleared}},
		{[]string{"gone"}, []string{removed}},
		{[]string{"--channel", "Security"}, []string{alice, cleared}},
		{[]string{"--channel", "Security", "--channel", "journal", "--source", "app"}, []string{broken, removed}},
		{[]string{"--event", "4000-4999"}, []string{alice}},
		{[]string{"--event", "!4625"}, []string{old, failed, broken, accepted, cleared, removed}},
		{[]string{"--level", "warning"}, []string{broken, removed}},
		{[]string{"--level", "Audit-Failure"}, []string{alice}},
		{[]string{"--level", "info"}, []string{old, failed, broken, alice, cleared, removed}},
		{[]string{"--since", "1h"}, []string{failed, broken, accepted, alice, cleared, removed, gaps}},
		{[]string{"--until", "1d"}, []string{old}},
		{[]string{"--since", p.now.Add(-7 * time.Minute).Format(time.RFC3339), "--until", p.now.Add(-5 * time.Minute).Format(time.RFC3339)}, []string{accepted, alice}},
		{[]string{"--text", "PIPE"}, []string{broken}},
		{[]string{"--user", "ALICE"}, []string{alice}},
		{[]string{"--user", `corp\alice`}, []string{alice}},
		{[]string{"--user", "lice"}, nil},
		{[]string{"--address", "::ffff:192.0.2.7"}, []string{failed}},
		{[]string{"--failed-logons"}, []string{failed, alice}},
		{[]string{"--logons"}, []string{failed, accepted, alice}},
		{[]string{"--logons", "-n", "1"}, []string{alice}},
		{[]string{"--channel", "Nothing"}, nil},
	} {
		stdout, stderr := p.logs(t, 0, test.args...)
		lines := strings.Split(strings.TrimSuffix(stdout, "\n"), "\n")
		if stdout == "" {
			lines = nil
		}
		same := len(lines) == len(test.want)
		for i := 0; same && i < len(lines); i++ {
			same = strings.Contains(lines[i], test.want[i])
		}
		if !same {
			t.Errorf("muster logs %q shows\n%swant %q", test.args, stdout, test.want)
		}
		if (stderr == "") != (len(test.want) > 0) {
			t.Errorf("muster logs %q says %q", test.args, stderr)
		}
	}
}

func TestLogsInAPipeArePlainAndWhole(t *testing.T) {
	p := newLogsPlace(t)
	p.fill(t)
	stdout, _ := p.logs(t, 0)
	for _, want := range []string{
		p.now.Add(-6*time.Minute).Local().Format("2006-01-02 15:04:05") + " dc1 Security audit-failure 4625 An account failed to log on: CORP\\alice from 10.0.0.5, network logon: wrong password\n",
		" web1 journal notice sshd[8]: Failed password for invalid user bob from 192.0.2.7 port 5555 ssh2\n",
		` web1 journal error app: broken\u202e \x1b[2J pipe next line` + "\n",
		" web2 file:/var/log/auth.log gap records 5 to 9 are missing: rotated away\n",
	} {
		contains(t, stdout, want)
	}
	if strings.ContainsAny(stdout, "\x1b\u202e") {
		t.Errorf("control characters come through:\n%q", stdout)
	}
	stdout, _ = p.logs(t, 0, "--raw", "--failed-logons")
	contains(t, stdout, `notice RAW\x1b[31mLINE`, "4625 <Event/>")
}

func TestLogsJSON(t *testing.T) {
	p := newLogsPlace(t)
	p.fill(t)
	for _, raw := range []bool{false, true} {
		args := []string{"--json"}
		if raw {
			args = append(args, "--raw")
		}
		stdout, _ := p.logs(t, 0, args...)
		lines := strings.Split(strings.TrimSuffix(stdout, "\n"), "\n")
		if len(lines) != 8 {
			t.Fatalf("%d lines:\n%s", len(lines), stdout)
		}
		var failed, gap map[string]any
		for i, into := range map[int]*map[string]any{4: &failed, 7: &gap} {
			if err := json.Unmarshal([]byte(lines[i]), into); err != nil {
				t.Fatal(err)
			}
		}
		want := map[string]any{
			"type": "record", "host": "dc1", "channel": "Security", "epoch": 1.0, "id": 1.0, "level": "audit-failure", "event": 4625.0,
			"time": p.now.Add(-6 * time.Minute).Format(time.RFC3339), "sweep": p.now.Format(time.RFC3339),
			"name": "An account failed to log on", "source": "Microsoft-Windows-Security-Auditing", "computer": "dc1.corp", "user": "",
			"process": 0.0, "keywords": "", "message": "", "altered": false,
			"description": `An account failed to log on: CORP\alice from 10.0.0.5, network logon: wrong password`,
		}
		if raw {
			want["raw"] = "<Event/>"
		}
		for name, value := range want {
			if failed[name] != value {
				t.Errorf("%s is %v, want %v", name, failed[name], value)
			}
		}
		if len(failed) != len(want)+3 || fmt.Sprint(failed["logon"]) != `map[account:CORP\alice address:10.0.0.5 outcome:failed]` ||
			fmt.Sprint(failed["data"].([]any)[0]) != "map[name:TargetUserName value:alice]" {
			t.Errorf("%v", failed)
		}
		if gap["type"] != "gap" || gap["first"] != 5.0 || gap["last"] != 9.0 || gap["reason"] != "rotated away" || gap["possible"] != false {
			t.Errorf("%v", gap)
		}
	}
}

func TestLogsMistakes(t *testing.T) {
	p := newLogsPlace(t)
	for _, test := range []struct{ args, want string }{
		{"--event x", "--event x: event ids are numbers and ranges"},
		{"--level loud", "--level loud: must be one of emergency, alert,"},
		{"--since soon", "--since soon: must be how long ago"},
		{"--until 2026-13-01", "--until 2026-13-01: must be"},
		{"--since 1h --until 2h", "--since is not before --until"},
		{"--follow --until 1h", "only one of them"},
		{"--lines=-1", "-n -1: must be 0 or more"},
		{"nobody*", `no host and no group like "nobody*"`},
		{"--logons --failed-logons", "can't be used together"},
	} {
		if _, stderr := p.logs(t, 2, strings.Fields(test.args)...); !strings.Contains(stderr, test.want) {
			t.Errorf("muster logs %s: %q, want %q", test.args, stderr, test.want)
		}
	}
}

// Who finds nothing is told why that may be, and what to do.
func TestLogsThatAreNotThere(t *testing.T) {
	p := newLogsPlace(t)
	_, stderr := p.logs(t, 0)
	contains(t, stderr, `asks no host for any; add <logs channel="Security"/>`)
	if _, stderr = p.logs(t, 0, "wbe1"); !strings.Contains(stderr, `no host and no group "wbe1"`) {
		t.Error(stderr)
	}
	asked := &config.Config{Hosts: []config.Host{{Name: "web1", Logs: []config.Logs{{Channel: "Security"}}}}}
	for want, c := range map[string]logsCommand{
		"no log records yet: they come with the visits": {},
		"no such log records; muster logs without":      {Text: "x"},
	} {
		if got := c.nothing(asked); !strings.Contains(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if err := os.Remove(filepath.Join(filepath.Dir(p.config), "m.db")); err != nil {
		t.Fatal(err)
	}
	if _, stderr = p.logs(t, 3); !strings.Contains(stderr, "there is none") {
		t.Error(stderr)
	}
}
