package syslog_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"muster/internal/client/logs/syslog"
	"muster/internal/report"
)

// berlin has an hour's offset in November.
func berlin() *time.Location { return time.FixedZone("CET", 3600) }

func at(year int, month time.Month, day, hour, minute, second, nano int) time.Time {
	return time.Date(year, month, day, hour, minute, second, nano, time.UTC)
}

func facility(name string) []report.Field { return []report.Field{{Name: "facility", Value: name}} }

// Lines as daemons have written them; names and addresses are changed.
func TestParse(t *testing.T) {
	latest := at(2026, time.November, 23, 17, 30, 0, 0)
	stamp := at(2026, time.November, 23, 16, 1, 2, 0) // of 17:01:02 in Berlin
	utc := at(2026, time.November, 23, 17, 1, 2, 0)
	micro := utc.Add(123456 * time.Microsecond)

	for name, test := range map[string]struct {
		line string
		want report.Record
	}{
		"auth.log": {
			"Nov 23 17:01:02 web1 sshd[4711]: Failed password for invalid user admin from 203.0.113.9 port 51022 ssh2",
			report.Record{Time: stamp, Computer: "web1", Source: "sshd", Process: 4711,
				Message: "Failed password for invalid user admin from 203.0.113.9 port 51022 ssh2"}},
		"auth.log of Debian 12": {
			"2026-11-23T17:01:02.123456+00:00 web1 sshd[4711]: Accepted publickey for root from ::1 port 1 ssh2: ED25519 SHA256:x",
			report.Record{Time: micro, Computer: "web1", Source: "sshd", Process: 4711,
				Message: "Accepted publickey for root from ::1 port 1 ssh2: ED25519 SHA256:x"}},
		"west of Greenwich": {
			"2026-11-23T12:01:02.123456-05:00 web1 CRON[9]: pam_unix(cron:session): session opened for user root(uid=0) by (uid=0)",
			report.Record{Time: micro, Computer: "web1", Source: "CRON", Process: 9,
				Message: "pam_unix(cron:session): session opened for user root(uid=0) by (uid=0)"}},
		"secure": {
			"Nov 23 17:01:02 db2 sudo:    alice : TTY=pts/0 ; PWD=/home/alice ; USER=root ; COMMAND=/bin/ls",
			report.Record{Time: stamp, Computer: "db2", Source: "sudo",
				Message: "   alice : TTY=pts/0 ; PWD=/home/alice ; USER=root ; COMMAND=/bin/ls"}},
		"a day of one digit": {
			"Nov  3 17:01:02 h su[1]: (to root) bob on pts/1",
			report.Record{Time: stamp.AddDate(0, 0, -20), Computer: "h", Source: "su", Process: 1, Message: "(to root) bob on pts/1"}},
		"a day of one digit that is not padded": {
			"Nov 3 17:01:02 h su[1]: x",
			report.Record{Time: stamp.AddDate(0, 0, -20), Computer: "h", Source: "su", Process: 1, Message: "x"}},
		"kern.log": {
			"Nov 23 17:01:02 web1 kernel: [12345.678901] eth0: link up, 1000Mbps",
			report.Record{Time: stamp, Computer: "web1", Source: "kernel", Message: "[12345.678901] eth0: link up, 1000Mbps"}},
		"syslog: a program with a path": {
			"Nov 23 17:01:02 mx postfix/smtpd[88]: connect from unknown[192.0.2.1]",
			report.Record{Time: stamp, Computer: "mx", Source: "postfix/smtpd", Process: 88, Message: "connect from unknown[192.0.2.1]"}},
		"syslog: a program with a full stop": {
			"Nov 23 17:01:02 h org.gnome.Shell.desktop[7]: x", report.Record{Time: stamp, Computer: "h",
				Source: "org.gnome.Shell.desktop", Process: 7, Message: "x"}},
		"syslog: in brackets": {
			"Nov 23 17:01:02 h (sd-pam)[7]: x", report.Record{Time: stamp, Computer: "h", Source: "(sd-pam)", Process: 7, Message: "x"}},
		"messages: no text": {
			"Nov 23 17:01:02 h cron[7]:", report.Record{Time: stamp, Computer: "h", Source: "cron", Process: 7}},
		"messages: no process": {
			"Nov 23 17:01:02 h rsyslogd: imuxsock lost 3 messages", report.Record{Time: stamp, Computer: "h",
				Source: "rsyslogd", Message: "imuxsock lost 3 messages"}},
		"messages: no tag": {
			"Nov 23 17:01:02 h last message repeated 2 times", report.Record{Time: stamp, Computer: "h",
				Message: "last message repeated 2 times"}},
		"messages: a process with a name": {
			"Nov 23 17:01:02 h app[main]: x", report.Record{Time: stamp, Computer: "h", Source: "app", Message: "x",
				Data: []report.Field{{Name: "procid", Value: "main"}}}},
		"messages: a host by its address": {
			"Nov 23 17:01:02 2001:db8::1 sshd[1]: x", report.Record{Time: stamp, Computer: "2001:db8::1", Source: "sshd",
				Process: 1, Message: "x"}},
		"messages: no host": {
			"Nov 23 17:01:02 sshd[12]: x", report.Record{Time: stamp, Source: "sshd", Process: 12, Message: "x"}},
		"messages: no host and no process": {
			"Nov 23 17:01:02 sshd: x y", report.Record{Time: stamp, Source: "sshd", Message: "x y"}},
		"messages: nothing": {"Nov 23 17:01:02 ", report.Record{Time: stamp}},
		"messages: a tag that is none": {
			"Nov 23 17:01:02 h C:\\x: y", report.Record{Time: stamp, Computer: "h", Message: "C:\\x: y"}},
		"RFC 3164": {
			"<34>Oct 11 22:14:15 mymachine su: 'su root' failed for lonvick on /dev/pts/8",
			report.Record{Time: at(2026, time.October, 11, 21, 14, 15, 0), Level: report.Critical, Computer: "mymachine",
				Source: "su", Message: "'su root' failed for lonvick on /dev/pts/8", Data: facility("auth")}},
		"RFC 3164 with a time of RFC 3339": {
			"<86>2026-11-23T17:01:02.123456Z h sshd[1]: x", report.Record{Time: micro, Level: report.Information,
				Computer: "h", Source: "sshd", Process: 1, Message: "x", Data: facility("authpriv")}},
		"a priority and a text": {
			"<13>hello", report.Record{Level: report.Notice, Message: "hello", Data: facility("user")}},
		"the largest priority":    {"<191>x", report.Record{Level: report.Debug, Message: "x", Data: facility("local7")}},
		"a priority too large":    {"<192>x", report.Record{Message: "<192>x"}},
		"a priority alone":        {"<13>", report.Record{Level: report.Notice, Message: "<13>", Data: facility("user")}},
		"a priority without end":  {"<13 x", report.Record{Message: "<13 x"}},
		"a priority without text": {"<>x", report.Record{Message: "<>x"}},
		"FreeBSD, -vv": {
			"Nov 23 17:01:02 <auth.info> bsd sshd[1]: x", report.Record{Time: stamp, Level: report.Information,
				Computer: "bsd", Source: "sshd", Process: 1, Message: "x", Data: facility("auth")}},
		"FreeBSD, -v": {
			"Nov 23 17:01:02 <4.3> bsd sshd[1]: x", report.Record{Time: stamp, Level: report.Error,
				Computer: "bsd", Source: "sshd", Process: 1, Message: "x", Data: facility("auth")}},
		"BusyBox": {
			"Nov 23 17:01:02 alpine auth.err sshd[1]: x", report.Record{Time: stamp, Level: report.Error,
				Computer: "alpine", Source: "sshd", Process: 1, Message: "x", Data: facility("auth")}},
		"BusyBox, no tag": {
			"Nov 23 17:01:02 alpine user.notice hello you", report.Record{Time: stamp, Level: report.Notice,
				Computer: "alpine", Message: "hello you", Data: facility("user")}},
		"OpenWrt": {
			"Mon Nov 23 17:01:02 2026 authpriv.warn dropbear[9]: Bad password attempt", report.Record{Time: stamp,
				Level: report.Warning, Source: "dropbear", Process: 9, Message: "Bad password attempt", Data: facility("authpriv")}},
		"macOS, system.log": {
			"Nov 23 17:01:02 mac com.apple.xpc.launchd[1] (com.apple.mdworker[42]): Service exited with abnormal code: 1",
			report.Record{Time: stamp, Computer: "mac", Source: "com.apple.xpc.launchd", Process: 1,
				Message: " (com.apple.mdworker[42]): Service exited with abnormal code: 1"[1:]}},
		"macOS, install.log": {
			"2026-11-23 18:01:02+01 mac softwareupdated[9]: done", report.Record{Time: utc, Computer: "mac",
				Source: "softwareupdated", Process: 9, Message: "done"}},
		"Cisco": {
			"Nov 23 2026 17:01:02: %ASA-6-302013: Built", report.Record{Time: stamp, Source: "%ASA-6-302013", Message: "Built"}},
		"dpkg.log": {
			"2026-11-23 17:01:02 status installed libc6:amd64 2.41-12", report.Record{Time: stamp,
				Message: "status installed libc6:amd64 2.41-12"}},
		"alternatives.log": {
			"update-alternatives 2026-11-23 17:01:02: run with --quiet", report.Record{
				Message: "update-alternatives 2026-11-23 17:01:02: run with --quiet"}},
		"nginx": {
			`2026/11/23 17:01:02 [error] 123#4: *5 open() "/x" failed (2: No such file or directory)`,
			report.Record{Time: stamp, Level: report.Error, Process: 123,
				Message: `*5 open() "/x" failed (2: No such file or directory)`}},
		"Go's log":       {"2026/11/23 17:01:02 listening", report.Record{Time: stamp, Message: "listening"}},
		"Python's log":   {"2026-11-23 17:01:02,500 INFO app: up", report.Record{Time: stamp.Add(500 * time.Millisecond), Level: report.Information, Message: "app: up"}},
		"a level's word": {"2026-11-23T17:01:02Z WARNING: low", report.Record{Time: utc, Level: report.Warning, Message: "low"}},
		"MySQL":          {"2026-11-23T17:01:02Z 0 [Note] ready: yes", report.Record{Time: utc, Message: "0 [Note] ready: yes"}},
		"a container":    {"2026-11-23T17:01:02Z stdout F a: b", report.Record{Time: utc, Message: "stdout F a: b"}},
		"tabs":           {"2026-11-23T17:01:02Z\tx\ty: z", report.Record{Time: utc, Message: "x\ty: z"}},
		"a time alone":   {"2026-11-23T17:01:02+01:00", report.Record{Time: stamp}},
		"Apache 2.4": {
			"[Mon Nov 23 17:01:02.123456 2026] [core:error] [pid 77:tid 88] [client 192.0.2.1:5] AH00082: x",
			report.Record{Time: stamp.Add(123456 * time.Microsecond), Level: report.Error, Source: "core", Process: 77,
				Message: "[tid 88] [client 192.0.2.1:5] AH00082: x"}},
		"Apache 2.2": {
			"[Mon Nov 23 17:01:02 2026] [warn] x", report.Record{Time: stamp, Level: report.Warning, Message: "x"}},
		"an access log": {
			`192.0.2.1 - - [23/Nov/2026:17:01:02 +0000] "GET / HTTP/1.1" 200 5`, report.Record{
				Message: `192.0.2.1 - - [23/Nov/2026:17:01:02 +0000] "GET / HTTP/1.1" 200 5`}},
		"a text":                  {"Hello, world", report.Record{Message: "Hello, world"}},
		"nothing":                 {"", report.Record{}},
		"a digit":                 {"1", report.Record{Message: "1"}},
		"no month":                {"Nox 23 17:01:02 h a: b", report.Record{Message: "Nox 23 17:01:02 h a: b"}},
		"no day":                  {"Nov 31 17:01:02 h a: b", report.Record{Message: "Nov 31 17:01:02 h a: b"}},
		"no hour":                 {"Nov 23 24:01:02 h a: b", report.Record{Message: "Nov 23 24:01:02 h a: b"}},
		"no month in digits":      {"2026-13-23 17:01:02 a", report.Record{Message: "2026-13-23 17:01:02 a"}},
		"no leap day":             {"2026-02-29 17:01:02 a", report.Record{Message: "2026-02-29 17:01:02 a"}},
		"a zone that is none":     {"2026-11-23T17:01:02+1x h a: b", report.Record{Message: "2026-11-23T17:01:02+1x h a: b"}},
		"more after the seconds":  {"2026-11-23T17:01:02x h a: b", report.Record{Message: "2026-11-23T17:01:02x h a: b"}},
		"a year before our times": {"1969-11-23 17:01:02 a", report.Record{Message: "1969-11-23 17:01:02 a"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := syslog.Parse(test.line, latest, berlin()); !reflect.DeepEqual(got, test.want) {
				t.Errorf("%q:\n got %+v\nwant %+v", test.line, got, test.want)
			}
		})
	}
}

// The first four are the examples of RFC 5424, section 6.5.
func TestParseRFC5424(t *testing.T) {
	for name, test := range map[string]struct {
		line string
		want report.Record
	}{
		"no structured data": {
			"<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \ufeff'su root' failed for lonvick on /dev/pts/8",
			report.Record{Time: at(2003, 10, 11, 22, 14, 15, 3e6), Level: report.Critical, Computer: "mymachine.example.com",
				Source: "su", Message: "'su root' failed for lonvick on /dev/pts/8",
				Data: []report.Field{{Name: "facility", Value: "auth"}, {Name: "msgid", Value: "ID47"}}}},
		"a number": {
			"<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - %% It's time to make the do-nuts.",
			report.Record{Time: at(2003, 8, 24, 12, 14, 15, 3000), Level: report.Notice, Computer: "192.0.2.1",
				Source: "myproc", Process: 8710, Message: "%% It's time to make the do-nuts.", Data: facility("local4")}},
		"structured data": {
			`<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 [exampleSDID@32473 iut="3" ` +
				`eventSource="Application" eventID="1011"] An application event log entry...`,
			report.Record{Time: at(2003, 10, 11, 22, 14, 15, 3e6), Level: report.Notice, Computer: "mymachine.example.com",
				Source: "evntslog", Message: "An application event log entry...", Data: []report.Field{
					{Name: "facility", Value: "local4"}, {Name: "msgid", Value: "ID47"}, {Name: "exampleSDID@32473.iut", Value: "3"},
					{Name: "exampleSDID@32473.eventSource", Value: "Application"}, {Name: "exampleSDID@32473.eventID", Value: "1011"}}}},
		"structured data only": {
			`<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 [a@1 iut="3"][b@1 class="high"]`,
			report.Record{Time: at(2003, 10, 11, 22, 14, 15, 3e6), Level: report.Notice, Computer: "mymachine.example.com",
				Source: "evntslog", Data: []report.Field{{Name: "facility", Value: "local4"}, {Name: "msgid", Value: "ID47"},
					{Name: "a@1.iut", Value: "3"}, {Name: "b@1.class", Value: "high"}}}},
		"escapes": {
			`<13>1 - - - - - [a b="1\"2\\3\]4\n5"] x`, report.Record{Level: report.Notice, Message: "x",
				Data: []report.Field{{Name: "facility", Value: "user"}, {Name: "a.b", Value: `1"2\3]4\n5`}}}},
		"an element without data": {
			`<13>1 - h p id-of-process - [origin] x`, report.Record{Level: report.Notice, Message: "x", Computer: "h",
				Source: "p", Data: []report.Field{{Name: "facility", Value: "user"}, {Name: "procid", Value: "id-of-process"}, {Name: "origin"}}}},
		"nothing": {"<13>1 - - - - - -", report.Record{Level: report.Notice, Data: facility("user")}},
		// What is not quite one is a text.
		"a data's end missing": {`<13>1 - - - - - [a b="c] x`, report.Record{Level: report.Notice,
			Message: `1 - - - - - [a b="c] x`, Data: facility("user")}},
		"an element's end missing": {`<13>1 - - - - - [a b="c" x`, report.Record{Level: report.Notice,
			Message: `1 - - - - - [a b="c" x`, Data: facility("user")}},
		"no structured data at all": {`<13>1 - - - - - x`, report.Record{Level: report.Notice,
			Message: `1 - - - - - x`, Data: facility("user")}},
		"a time without a zone": {`<13>1 2026-11-23T17:01:02 - - - - -`, report.Record{Level: report.Notice,
			Message: `1 2026-11-23T17:01:02 - - - - -`, Data: facility("user")}},
		"another version": {`<13>2 - - - - - - x`, report.Record{Level: report.Notice,
			Message: `2 - - - - - - x`, Data: facility("user")}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := syslog.Parse(test.line, at(2026, 11, 23, 0, 0, 0, 0), berlin()); !reflect.DeepEqual(got, test.want) {
				t.Errorf("%q:\n got %+v\nwant %+v", test.line, got, test.want)
			}
		})
	}
}

func TestParseCutsStructuredData(t *testing.T) {
	line := "<13>1 - - - - - [a" + strings.Repeat(` b="c"`, 300) + "] x"
	r := syslog.Parse(line, time.Now(), time.UTC)
	if len(r.Data) != report.MaxFields || !r.Altered || r.Message != "x" {
		t.Errorf("%d fields, altered: %v, message %q", len(r.Data), r.Altered, r.Message)
	}
}

// A time without a year is of the latest year that is possible.
func TestParseFindsTheYear(t *testing.T) {
	for name, test := range map[string]struct {
		stamp  string
		latest time.Time
		zone   *time.Location
		want   time.Time
	}{
		"today":                         {"Nov 23 17:01:02", at(2026, 11, 23, 17, 1, 2, 0), time.UTC, at(2026, 11, 23, 17, 1, 2, 0)},
		"last year":                     {"Dec 31 23:59:59", at(2027, 1, 1, 0, 0, 1, 0), time.UTC, at(2026, 12, 31, 23, 59, 59, 0)},
		"a year ago, but for a day":     {"Nov 25 17:01:02", at(2026, 11, 23, 17, 1, 2, 0), time.UTC, at(2025, 11, 25, 17, 1, 2, 0)},
		"a clock that is ahead":         {"Nov 24 12:00:00", at(2026, 11, 23, 17, 1, 2, 0), time.UTC, at(2026, 11, 24, 12, 0, 0, 0)},
		"ahead, over the turn":          {"Jan  1 00:00:05", at(2026, 12, 31, 23, 59, 0, 0), time.UTC, at(2027, 1, 1, 0, 0, 5, 0)},
		"the turn, east of Greenwich":   {"Jan  1 00:30:00", at(2026, 12, 31, 23, 31, 0, 0), berlin(), at(2026, 12, 31, 23, 30, 0, 0)},
		"the turn, west of Greenwich":   {"Dec 31 22:30:00", at(2027, 1, 1, 3, 31, 0, 0), time.FixedZone("", -5*3600), at(2027, 1, 1, 3, 30, 0, 0)},
		"a leap day in its year":        {"Feb 29 10:00:00", at(2028, 3, 1, 0, 0, 0, 0), time.UTC, at(2028, 2, 29, 10, 0, 0, 0)},
		"a leap day, read years later":  {"Feb 29 10:00:00", at(2027, 3, 1, 0, 0, 0, 0), time.UTC, at(2024, 2, 29, 10, 0, 0, 0)},
		"a leap day over 2100":          {"Feb 29 10:00:00", at(2103, 3, 1, 0, 0, 0, 0), time.UTC, at(2096, 2, 29, 10, 0, 0, 0)},
		"the day before it in its year": {"Feb 29 10:00:00", at(2028, 2, 28, 12, 0, 0, 0), time.UTC, at(2028, 2, 29, 10, 0, 0, 0)},
	} {
		t.Run(name, func(t *testing.T) {
			r := syslog.Parse(test.stamp+" h p: x", test.latest, test.zone)
			if !r.Time.Equal(test.want) || r.Time.Location() != time.UTC || r.Computer != "h" {
				t.Errorf("%s read at %v: got %v, want %v", test.stamp, test.latest, r.Time, test.want)
			}
		})
	}
}

// In summer the offset is the zone's in summer.
func TestParseKnowsSummer(t *testing.T) {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatalf("the zones' data is missing (Debian: tzdata): %v", err)
	}
	got := syslog.Parse("Jul 14 12:00:00 h p: x", at(2026, 11, 23, 0, 0, 0, 0), zone).Time
	if want := at(2026, 7, 14, 10, 0, 0, 0); !got.Equal(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// FuzzParse holds Parse to its promises: it never fails, and no letter or digit of the line is lost that stands behind
// its time and priority.
func FuzzParse(f *testing.F) {
	for _, line := range samples() {
		f.Add(line)
	}
	f.Add("<13>1 - - - - - [a b=\"1\\\"2\\\\3\\]4\\n5\"] x")
	f.Add("[Mon Nov 23 17:01:02.123456 2026] [core:error] [pid 77:tid 88] x")
	f.Add("Nov 23 17:01:02 <4.3> bsd sshd[1]: x")
	latest := at(2026, 11, 23, 17, 30, 0, 0)
	f.Fuzz(func(t *testing.T, line string) {
		r := syslog.Parse(line, latest, berlin())
		if !r.Time.IsZero() && (r.Time.Year() < 1969 || r.Time.Year() > 10000) {
			t.Errorf("%q: the time is %v", line, r.Time)
		}
		if len(r.Source) > report.MaxWord || r.Process < 0 || len(r.Data) > report.MaxFields {
			t.Errorf("%q: %+v", line, r)
		}
		if !strings.HasSuffix(line, r.Message) && !strings.HasPrefix(r.Message, "[") {
			t.Errorf("%q ends otherwise than its message %q", line, r.Message)
		}
		for _, part := range []string{r.Computer, r.Source} {
			if !strings.Contains(line, part) {
				t.Errorf("%q has no %q", line, part)
			}
		}
		if again := syslog.Parse(line, latest, berlin()); !reflect.DeepEqual(again, r) {
			t.Errorf("%q: %+v, and then %+v", line, r, again)
		}
	})
}

func samples() []string {
	return []string{
		"Nov 23 17:01:02 web1 sshd[4711]: Failed password for invalid user admin from 203.0.113.9 port 51022 ssh2",
		"2026-11-23T17:01:02.123456+00:00 web1 sshd[4711]: Failed password for root from 203.0.113.9 port 51022 ssh2",
		"<165>1 2003-10-11T22:14:15.003Z web1 evntslog - ID47 [a@1 iut=\"3\" eventID=\"1011\"] An application event log entry",
		"2026-11-23 17:01:02 status installed libc6:amd64 2.41-12",
		"a text without any time or other field, as programs write them to their own files",
	}
}

func BenchmarkParse(b *testing.B) {
	latest := at(2026, 11, 23, 17, 30, 0, 0)
	for i, name := range []string{"rfc3164", "rfc3339", "rfc5424", "time", "text"} {
		line := samples()[i]
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(line)))
			for b.Loop() {
				syslog.Parse(line, latest, time.UTC)
			}
		})
	}
}
