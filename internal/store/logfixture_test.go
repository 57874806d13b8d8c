package store

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"muster/internal/report"
)

// securityRecord returns a record as the Security log of Windows has most of them: a logon, with 26 data, no message, and
// 1.7 kB of XML. Every fourth has failed.
func securityRecord(computer string, id int64, at time.Time) report.Record {
	user := fmt.Sprintf("user%d", id%97)
	event, keywords, level := int64(4624), "Audit Success", report.AuditSuccess
	if id%4 == 0 {
		event, keywords, level = 4625, "Audit Failure", report.AuditFailure
	}
	data := []report.Field{
		{Name: "SubjectUserSid", Value: "S-1-5-18"}, {Name: "SubjectUserName", Value: computer + "$"},
		{Name: "SubjectDomainName", Value: "EXAMPLE"}, {Name: "SubjectLogonId", Value: "0x3e7"},
		{Name: "TargetUserSid", Value: fmt.Sprintf("S-1-5-21-3457937927-2839227994-823803824-%d", 1000+id%97)},
		{Name: "TargetUserName", Value: user}, {Name: "TargetDomainName", Value: "EXAMPLE"},
		{Name: "TargetLogonId", Value: fmt.Sprintf("0x%x", id*7919)}, {Name: "LogonType", Value: "3"},
		{Name: "LogonProcessName", Value: "Kerberos"}, {Name: "AuthenticationPackageName", Value: "Kerberos"},
		{Name: "WorkstationName", Value: "-"}, {Name: "LogonGuid", Value: fmt.Sprintf("{%08x-8a3f-4d6e-9c3b-%012x}", id*2654435761&0xffffffff, id*40503)},
		{Name: "TransmittedServices", Value: "-"}, {Name: "LmPackageName", Value: "-"}, {Name: "KeyLength", Value: "0"},
		{Name: "ProcessId", Value: fmt.Sprintf("0x%x", 600+id%50)}, {Name: "ProcessName", Value: `C:\Windows\System32\lsass.exe`},
		{Name: "IpAddress", Value: fmt.Sprintf("10.0.%d.%d", id/250%250, id%250)}, {Name: "IpPort", Value: fmt.Sprint(49152 + id%16000)},
		{Name: "ImpersonationLevel", Value: "%%1833"}, {Name: "RestrictedAdminMode", Value: "-"},
		{Name: "TargetOutboundUserName", Value: "-"}, {Name: "TargetOutboundDomainName", Value: "-"},
		{Name: "VirtualAccount", Value: "%%1843"}, {Name: "ElevatedToken", Value: "%%1842"},
	}
	var raw strings.Builder
	fmt.Fprintf(&raw, "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System>"+
		"<Provider Name='Microsoft-Windows-Security-Auditing' Guid='{54849625-5478-4994-A5BA-3E3B0328C30D}'/><EventID>%d</EventID>"+
		"<Version>2</Version><Level>0</Level><Task>12544</Task><Opcode>0</Opcode><Keywords>0x8020000000000000</Keywords>"+
		"<TimeCreated SystemTime='%s'/><EventRecordID>%d</EventRecordID><Correlation/><Execution ProcessID='620' ThreadID='%d'/>"+
		"<Channel>Security</Channel><Computer>%s.example.org</Computer><Security/></System><EventData>",
		event, at.UTC().Format("2006-01-02T15:04:05.000000000Z"), id, 700+id%40, computer)
	for _, f := range data {
		fmt.Fprintf(&raw, "<Data Name='%s'>%s</Data>", f.Name, f.Value)
	}
	raw.WriteString("</EventData></Event>")
	return report.Record{
		ID: id, Time: at, Level: level, Event: event, Source: "Microsoft-Windows-Security-Auditing",
		Computer: computer + ".example.org", Process: 620, Keywords: keywords, Data: data, Raw: raw.String(),
	}
}

// securityLogon says of a record of securityRecord what package events would.
func securityLogon(_ string, r *report.Record) Logon {
	var outcome string
	switch r.Event {
	case 4624:
		outcome = LogonAccepted
	case 4625:
		outcome = LogonFailed
	default:
		return Logon{}
	}
	l := Logon{Outcome: outcome}
	for _, f := range r.Data {
		switch f.Name {
		case "TargetUserName":
			l.Account = f.Value
		case "IpAddress":
			l.Address = f.Value
		}
	}
	return l
}

// lineRecord returns a record as a line of a log file has it.
func lineRecord(host string, id int64, at time.Time) report.Record {
	message := fmt.Sprintf("Failed password for invalid user admin from 203.0.113.%d port %d ssh2", id%250, 40000+id%20000)
	return report.Record{
		ID: id, Time: at, Source: "sshd", Computer: host, Process: 1000 + id%3000, Message: message,
		Raw: fmt.Sprintf("%s %s sshd[%d]: %s", at.Format("2006-01-02T15:04:05.000000-07:00"), host, 1000+id%3000, message),
	}
}

// part returns what a part of a visit brought of one channel: n records from first on, a second apart from the sweep on.
func part(host, channel string, sweep time.Time, first int64, n int, record func(string, int64, time.Time) report.Record) Logs {
	c := report.Logs{Channel: channel, Epoch: 1, Next: report.Cursor{Epoch: 1, Record: first + int64(n) - 1, Position: "here"}}
	for i := range n {
		c.Records = append(c.Records, record(host, first+int64(i), sweep.Add(time.Duration(i)*time.Second)))
	}
	return Logs{
		Visit: fmt.Sprintf("%s-%d", host, sweep.UnixMilli()), Sweep: sweep, Host: host, Groups: "win", Read: sweep.Add(time.Second),
		Channels: []report.Logs{c},
	}
}

func saveLogs(t testing.TB, s *Store, logs ...Logs) {
	t.Helper()
	if err := s.SaveLogs(t.Context(), logs); err != nil {
		t.Fatal(err)
	}
}
