package watch

import (
	"fmt"
	"testing"
	"time"

	"muster/internal/config"
	"muster/internal/entry"
	"muster/internal/events"
	"muster/internal/queue"
	"muster/internal/report"
)

// BenchmarkLogs evaluates entries of a thousand records of one host, audits of Windows or lines of sshd, one in a hundred of which
// is a failed logon: under no limits, under one that they meet, and under those on failed logons.
func BenchmarkLogs(b *testing.B) {
	type benchmark struct {
		name   string
		record func(id int64) report.Record
		limit  *config.EventLimit
	}
	on := func(channel, logon string, f report.Filter) *config.EventLimit {
		return &config.EventLimit{Records: config.Records{Channel: channel, Filter: f, Logon: logon}, Above: 100_000, For: time.Hour}
	}
	only := report.Filter{Events: report.Events{{First: 4625, Last: 4625}}}
	for _, c := range []benchmark{
		{"audits/nobody asks", audited, nil},
		{"audits/by event", audited, on("Security", "", only)},
		{"audits/failed logons", audited, on("Security", events.Failed, report.Filter{})},
		{"audits/failed logons by event", audited, on("Security", events.Failed, only)},
		{"audits/all", audited, on("Security", "", report.Filter{})},
		{"lines/nobody asks", logged, nil},
		{"lines/by provider", logged, on("journal", "", report.Filter{Providers: []string{"sshd"}})},
		{"lines/failed logons", logged, on("journal", events.Failed, report.Filter{})},
		{"lines/failed logons by provider", logged, on("journal", events.Failed, report.Filter{Providers: []string{"sshd"}})},
	} {
		b.Run(c.name, func(b *testing.B) {
			host, channel := config.Host{Name: "h"}, "Security"
			if c.limit != nil {
				host.EventLimits, channel = append(host.EventLimits, *c.limit), c.limit.Channel
			}
			x := newWorld().process(nil).watch(b, []config.Host{host}, noon)
			l := &entry.Logs{Visit: "v", Host: "h", Sweep: noon, Read: noon, Channels: []report.Logs{{Channel: channel, Epoch: 1}}}
			for i := range int64(1000) {
				l.Channels[0].Records = append(l.Channels[0].Records, c.record(i+1))
			}
			e := logsEntry(b, l)
			b.SetBytes(int64(len(e.Data)))
			b.ReportAllocs()
			number := uint64(0)
			for b.Loop() {
				number++
				x.state.logs("h").Seen = nil // so that all count
				x.logged(b.Context(), queue.Entry{Kind: e.Kind, Data: e.Data, Number: number})
			}
		})
	}
}

// BenchmarkSelects asks a limit about one record: by event or provider, and whether it is a failed logon, which it is not.
func BenchmarkSelects(b *testing.B) {
	for name, c := range map[string]struct {
		record report.Record
		s      selection
	}{
		"audit by event":         {audited(1), selection{channel: "security", filter: report.Filter{Events: report.Events{{First: 4624, Last: 4624}}}}},
		"audit by failed logons": {audited(1), selection{channel: "security", logon: events.Failed}},
		"line by provider":       {logged(1), selection{channel: "journal", filter: report.Filter{Providers: []string{"sshd"}}}},
		"line by failed logons":  {logged(1), selection{channel: "journal", logon: events.Failed}},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				x := candidate{Record: &c.record, channel: c.s.channel}
				if c.s.selects(&x) != (c.s.logon == "") {
					b.Fatal("it is another record")
				}
			}
		})
	}
}

// audited returns a record of the channel Security with the data that a 4624 has of Windows 10.
func audited(id int64) report.Record {
	r := report.Record{ID: id, Time: benchTime(id), Event: 4624, Level: report.AuditSuccess, Source: auditing,
		Message: "An account was successfully logged on.", Raw: fmt.Sprintf("<Event>%0900d</Event>", id)}
	if id%100 == 0 {
		r.Event, r.Level = 4625, report.AuditFailure
	}
	for _, f := range [][2]string{
		{"SubjectUserSid", "S-1-5-18"}, {"SubjectUserName", "WIN1$"}, {"SubjectDomainName", "CORP"}, {"SubjectLogonId", "0x3e7"},
		{"TargetUserSid", "S-1-5-21-1-2-3-1105"}, {"TargetUserName", "alice"}, {"TargetDomainName", "CORP"}, {"TargetLogonId", "0x7dcfd2"},
		{"LogonType", "3"}, {"LogonProcessName", "NtLmSsp"}, {"AuthenticationPackageName", "NTLM"}, {"WorkstationName", "PC7"},
		{"LogonGuid", "{00000000-0000-0000-0000-000000000000}"}, {"TransmittedServices", "-"}, {"LmPackageName", "NTLM V2"},
		{"KeyLength", "128"}, {"ProcessId", "0x0"}, {"ProcessName", "-"}, {"IpAddress", "192.0.2.7"}, {"IpPort", "49744"},
	} {
		r.Data = append(r.Data, report.Field{Name: f[0], Value: f[1]})
	}
	return r
}

// logged returns a record of the journal as sshd's are.
func logged(id int64) report.Record {
	r := report.Record{ID: id, Time: benchTime(id), Level: report.Information, Source: "sshd", Raw: fmt.Sprintf(`{"MESSAGE":"%0900d"}`, id),
		Message: "Accepted publickey for alice from 192.0.2.14 port 50122 ssh2: ED25519 SHA256:6WxqLCLQ2Xr5TJvYpYgm0bW3mNnD1yPpUu4hJrRz1dE"}
	if id%100 == 0 {
		r.Message = "Failed password for invalid user admin from 203.0.113.77 port 41022 ssh2"
	}
	for _, f := range [][2]string{
		{"SYSLOG_FACILITY", "10"}, {"_SYSTEMD_UNIT", "ssh.service"}, {"_EXE", "/usr/sbin/sshd"}, {"_COMM", "sshd"},
		{"_CMDLINE", "sshd: alice [priv]"}, {"_UID", "0"}, {"_TRANSPORT", "syslog"}, {"_BOOT_ID", "0123456789abcdef0123456789abcdef"},
	} {
		r.Data = append(r.Data, report.Field{Name: f[0], Value: f[1]})
	}
	return r
}

func benchTime(id int64) time.Time { return noon.Add(time.Duration(id) * 100 * time.Millisecond) }

const auditing = "Microsoft-Windows-Security-Auditing"
