package watch

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"muster/internal/alert"
	"muster/internal/config"
	"muster/internal/events"
	"muster/internal/report"
)

const authLog = "file:/var/log/auth.log"

// onLogons returns a limit on logons of a channel, of which two may be in ten minutes.
func onLogons(channel, outcome string, f report.Filter) config.EventLimit {
	return config.EventLimit{Records: config.Records{Channel: channel, Filter: f, Logon: outcome}, Above: 2, For: 10 * time.Minute}
}

// byProgram selects the records of one.
func byProgram(name string) report.Filter { return report.Filter{Providers: []string{name}} }

// lines returns records of sshd, one a second, the last of now.
func (b *logBench) lines(channel string, messages ...string) report.Logs {
	l := report.Logs{Channel: channel, Epoch: 1}
	for i, message := range messages {
		b.id++
		l.Records = append(l.Records, report.Record{
			ID: b.id, Time: b.now.Add(time.Duration(i-len(messages)+1) * time.Second), Source: "sshd", Process: 7, Message: message,
		})
	}
	return l
}

func refused(user, address string) string {
	return "Failed password for " + user + " from " + address + " port 40000 ssh2"
}

// aroundIt is what sshd and PAM write beside one refusal, and of somebody who is let in.
var aroundIt = []string{
	"Connection from 203.0.113.9 port 40000 on 10.0.0.11 port 22",
	"Invalid user admin from 203.0.113.9 port 40000",
	"pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=203.0.113.9",
	"Failed none for invalid user admin from 203.0.113.9 port 40000 ssh2",
	"Connection closed by invalid user admin 203.0.113.9 port 40000 [preauth]",
	"Accepted publickey for alice from 192.0.2.14 port 50122 ssh2: ED25519 SHA256:6WxqLCLQ2Xr5TJvYpYgm0bW3mNnD1yPpUu4hJrRz1dE",
	"pam_unix(sshd:session): session opened for user alice(uid=1000) by (uid=0)",
}

// phases returns the alerts of the host by what they are on.
func (b *logBench) phases() map[string]float64 {
	all := make(map[string]float64)
	for _, a := range b.alerts() {
		if a.Phase == alert.Firing {
			all[a.Instance] = a.Value
		}
	}
	return all
}

func TestALimitOnFailedLogonsOfSSHD(t *testing.T) {
	b := newLogBench(t, config.Host{
		Name: "h", Mail: []string{"a@example.org"}, EventLimits: []config.EventLimit{onLogons(authLog, events.Failed, byProgram("sshd"))},
	})
	once := slices.Concat(aroundIt, []string{refused("invalid user admin", "203.0.113.9")}, aroundIt)
	b.logs(b.lines(authLog, once...))
	expect(t, b.ends(), "")
	second := b.lines(authLog, once...)
	b.logs(second)
	b.logs(second)
	expect(t, b.ends(), "")
	b.start()
	b.logs(second)
	other := b.lines(authLog, refused("root", "203.0.113.9"))
	other.Records[0].Source = "cron" // which does not speak of others' logons
	b.logs(other)
	expect(t, b.ends(), "")
	b.logs(b.lines(authLog, "Failed publickey for root from 203.0.113.9 port 40000 ssh2: RSA SHA256:abc"))
	expect(t, b.ends(), "")
	b.logs(b.lines(authLog, refused("root", "203.0.113.9")))
	a := b.alerts()
	if len(a) != 1 || a[0].Value != 3 || a[0].Instance != authLog+", failed logons, providers sshd" || a[0].Limit != "above 2 within 10m" {
		t.Errorf("alerts: %+v", a)
	}
	expect(t, b.ends(), raised)
	b.now = b.now.Add(time.Hour)
	b.logs(b.lines(authLog, aroundIt...))
	expect(t, b.ends(), ended)
}

// audits returns records of the channel Security, all of now.
func (b *logBench) audits(ids ...int64) report.Logs {
	l := b.batch(0, make([]time.Duration, len(ids))...)
	for i := range l.Records {
		r := audited(l.Records[i].ID)
		r.Event, r.Time = ids[i], b.now
		l.Records[i] = r
	}
	return l
}

func TestLimitsOnLogonsOfWindows(t *testing.T) {
	h := config.Host{Name: "h", Mail: []string{"a@example.org"}}
	only := report.Filter{Events: report.Events{{First: 4625, Last: 4625}}}
	for _, outcome := range []string{events.Failed, events.Accepted, events.Any, ""} {
		h.EventLimits = append(h.EventLimits, onLogons("Security", outcome, report.Filter{}))
	}
	h.EventLimits = append(h.EventLimits, onLogons("security", "", only), onLogons("security", events.Accepted, only))
	b := newLogBench(t, h)
	want := func(limits ...string) {
		t.Helper()
		got := b.phases()
		for _, limit := range limits {
			instance, value, _ := strings.Cut(limit, ": ")
			if fmt.Sprint(got[instance]) != value {
				t.Errorf("%s: %v, want %s", instance, got[instance], value)
			}
			delete(got, instance)
		}
		for instance, value := range got {
			t.Errorf("%s: %v", instance, value)
		}
	}
	b.logs(b.audits(4624, 4624, 4625, 4634, 4672))
	want("Security: 5", "Security, logons: 3")
	b.ends()
	// Of the machine itself, and written by somebody in the name of the audit: both count as records alone.
	own := b.audits(4624, 4625)
	own.Records[0].Data[4].Value = "S-1-5-18"
	own.Records[1].Data = nil
	b.logs(own)
	want("Security: 7", "Security, logons: 3")
	b.ends()
	b.logs(b.audits(4625))
	want("Security: 8", "Security, logons: 4", "security 4625: 3")
	b.ends()
	b.start() // each goes on where it was
	b.logs(b.audits(4625, 4634))
	want("Security: 10", "Security, logons: 5", "security 4625: 4", "Security, failed logons: 3")
	b.ends()
	b.logs(b.audits(4624))
	want("Security: 11", "Security, logons: 6", "security 4625: 4", "Security, failed logons: 3", "Security, accepted logons: 3")
}

// TestALimitsLogonsAreChanged: limits that differ in that alone are different ones, and one that stays is not touched.
func TestALimitsLogonsAreChanged(t *testing.T) {
	h := config.Host{Name: "h", Mail: []string{"a@example.org"}, EventLimits: []config.EventLimit{
		onLogons(authLog, events.Failed, report.Filter{}), onLogons(authLog, events.Any, report.Filter{}),
	}}
	b := newLogBench(t, h)
	line := refused("root", "203.0.113.9")
	b.logs(b.lines(authLog, line, line))
	b.ends()
	h.EventLimits[1].Logon = ""
	b.watch.Set(Settings{Hosts: []config.Host{h}, Letters: b.process})
	b.logs(b.lines(authLog, line, "Server listening on 0.0.0.0 port 22."))
	expect(t, b.ends(), raised)
	if got := b.phases(); len(got) != 1 || got[authLog+", failed logons"] != 3 {
		t.Errorf("alerts: %v", got) // of the new limit there are two records yet
	}
	h.EventLimits[0].Logon = events.Accepted
	b.watch.Set(Settings{Hosts: []config.Host{h}, Letters: b.process})
	expect(t, b.ends(), ended)
	b.logs(b.lines(authLog, line))
	expect(t, b.ends(), raised)
	if got := b.phases(); len(got) != 1 || got[authLog] != 3 {
		t.Errorf("alerts: %v", got)
	}
}

// TestForgedLogonsDoNotCount where the journal knows who wrote them.
func TestForgedLogonsDoNotCount(t *testing.T) {
	b := newLogBench(t, config.Host{Name: "h", EventLimits: []config.EventLimit{
		onLogons("journal", events.Failed, report.Filter{}), onLogons("journal", "", report.Filter{}),
	}})
	l := b.lines("journal", slices.Repeat([]string{refused("root", "203.0.113.9")}, 5)...)
	for i, uid := range []string{"0", "1000", "1000", "1000", "0"} {
		l.Records[i].Data = []report.Field{{Name: "_UID", Value: uid}, {Name: "_EXE", Value: "/usr/bin/logger"}}
	}
	b.logs(l)
	if got := b.phases(); len(got) != 1 || got["journal"] != 5 {
		t.Errorf("alerts: %v", got)
	}
}

func TestRecordsOfLogonsAreMailed(t *testing.T) {
	b := newLogBench(t, config.Host{Name: "h", Mail: []string{"a@example.org"}, MailRecords: []config.Records{
		{Channel: authLog, Logon: events.Accepted, Filter: byProgram("sshd")}, {Channel: authLog, Logon: events.Failed, Filter: byProgram("su")},
	}})
	l := b.lines(authLog, slices.Concat(aroundIt, []string{refused("root", "203.0.113.9")})...)
	b.logs(l)
	b.logs(l)
	expect(t, b.ends(), "a h/"+authLog+"/1/6") // alice
	b.logs(l)
	expect(t, b.ends(), "")
}

// TestTheWordsOfAnAlertOnLogons say where they came from.
func TestTheWordsOfAnAlertOnLogons(t *testing.T) {
	b := newLogBench(t, config.Host{Name: "h", EventLimits: []config.EventLimit{onLogons(authLog, events.Failed, report.Filter{})}})
	text := func() string {
		t.Helper()
		if a := b.alerts(); len(a) == 1 {
			return a[0].Text
		}
		t.Fatalf("alerts: %+v", b.alerts())
		return ""
	}
	b.logs(b.lines(authLog, refused("root", "203.0.113.9"), refused("root", "203.0.113.9"), aroundIt[5], refused("invalid user x", "2001:db8::1"),
		refused("root", "203.0.113.9")))
	if want := "2026-03-01 11:59:56 to 12:00:00 UTC; by address: 203.0.113.9 (3), 2001:db8::1 (1); by account: root (3), x (1); the last: " +
		"11:59:57 sshd: Failed password for root from 203.0.113.9 port 40000 ssh2 | 11:59:59 sshd: Failed"; !strings.HasPrefix(text(), want) {
		t.Errorf("got  %s\nwant %s", text(), want)
	}
	b.ends()
	// Those that came before are counted, but what they said is not known any more.
	b.logs(b.lines(authLog, refused("b", "10.0.0.1"), refused("a", "10.0.0.2"), refused("c", "10.0.0.2"), refused("d", "10.0.0.3"),
		refused("a", "10.0.0.4"), "Failed password for invalid user  from 10.0.0.5 port 1 ssh2"))
	if want := "2026-03-01 11:59:56 to 12:01:00 UTC; the 6 that came last by address: 10.0.0.2 (2), 10.0.0.1 (1), 10.0.0.3 (1) and 2 more; " +
		"by account: a (2), b (1), c (1) and 1 more; the last: "; !strings.HasPrefix(text(), want) {
		t.Errorf("got  %s\nwant %s", text(), want)
	}
	b.ends()
	b.logs(b.lines(authLog, refused("a", "10.0.0.2"), refused("b", "10.0.0.2")))
	if want := "2026-03-01 11:59:56 to 12:02:00 UTC; the last: 12:01:59 sshd: "; !strings.HasPrefix(text(), want) {
		t.Errorf("of records that are all shown\ngot  %s\nwant %s", text(), want)
	}
	b.ends()
	// What was long before the burst, and came with it, is not said of it.
	b.now = b.now.Add(time.Hour)
	l := b.lines(authLog, slices.Repeat([]string{refused("a", "10.0.0.2")}, 5)...)
	l.Records[0].Time, l.Records[0].Message = b.now.Add(-50*time.Minute), refused("old", "10.0.0.9")
	b.logs(l)
	if strings.Contains(text(), "old") || !strings.Contains(text(), "UTC; by address: 10.0.0.2 (4); by account: a (4); the last: ") {
		t.Errorf("got %s", text())
	}
}

// TestRecordsThatAreNoLogonsHaveNoOrigins, and those that say nothing of where they came from have none either.
func TestRecordsThatAreNoLogonsHaveNoOrigins(t *testing.T) {
	b := newLogBench(t)
	const nobody = "pam_unix(login:auth): authentication failure; logname=LOGIN uid=0 euid=0 tty=/dev/tty1 ruser= rhost="
	for message, want := range map[string]string{
		aroundIt[0]: "", nobody: "", nobody + "  user=ann": "by account: ann (1)", refused("", "10.0.0.1"): "by address: 10.0.0.1 (1)",
	} {
		r := b.lines(authLog, message).Records[0]
		if strings.HasPrefix(message, "pam_") {
			r.Source = "login"
		}
		if got := strings.Join(originsOf(authLog, []*report.Record{&r}), "; "); got != want {
			t.Errorf("%s: %q, want %q", message, got, want)
		}
	}
}

// TestHostileNamesInAnAlert: what a stranger calls himself is cut, made visible, and stands behind the addresses.
func TestHostileNamesInAnAlert(t *testing.T) {
	b := newLogBench(t, config.Host{Name: "h", EventLimits: []config.EventLimit{onLogons(authLog, events.Failed, report.Filter{})}})
	b.logs(b.lines(authLog, slices.Repeat([]string{refused("invalid user \x1b[31m\u202e\n"+strings.Repeat("é", 30000), "203.0.113.9")}, 4)...))
	a := b.alerts()
	if len(a) != 1 || strings.ContainsAny(a[0].Text, "\x1b\u202e\n") || len([]rune(a[0].Text)) > 700 ||
		!strings.Contains(a[0].Text, `UTC; by address: 203.0.113.9 (4); by account: \x1b[31m\u202e`) {
		t.Errorf("alerts: %+v", a)
	}
}

// TestLogonsAreReadForThoseWhoAsk: only of records that are selected but for that, and once for all who ask.
func TestLogonsAreReadForThoseWhoAsk(t *testing.T) {
	r := report.Record{Source: "sshd", Message: refused("root", "203.0.113.9")}
	x := candidate{Record: &r, channel: "journal"}
	for _, s := range []selection{
		{channel: "journal"}, {channel: "journal", filter: byProgram("sshd")}, {channel: "journal", filter: byProgram("su"), logon: events.Failed},
		{channel: authLog, logon: events.Failed},
		{channel: "journal", filter: report.Filter{Levels: []report.Level{report.Error}}, logon: events.Any},
	} {
		if s.selects(&x) != (s.logon == "") || x.read {
			t.Errorf("%+v: read %v", s, x.read)
		}
	}
	failed, accepted := selection{channel: "journal", logon: events.Failed}, selection{channel: "journal", logon: events.Accepted}
	if !failed.selects(&x) || !x.read || accepted.selects(&x) {
		t.Errorf("a refusal: %+v", x)
	}
	x.said.Outcome = events.Accepted
	if failed.selects(&x) || !accepted.selects(&x) {
		t.Error("it is read again")
	}
}
