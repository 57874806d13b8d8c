package mail_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"muster/internal/mail"
	"muster/internal/report"
)

var sweep = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func ago(d time.Duration) time.Time { return sweep.Add(-d) }

// fleet is what a receiver might be told on a bad day.
func fleet() mail.Digest {
	limit := "above 90 % for 5m"
	return mail.Digest{
		To: "ops@example.org", Sweep: sweep, Now: sweep.Add(3 * time.Second), Hosts: 60, Failed: 2, Ongoing: 5,
		Raised: []mail.Item{
			{Notice: "n1", Host: "web2", Groups: "web/front", Statistic: "cpu.usage", Unit: "%", Limit: limit, Value: 91,
				Since: ago(5 * time.Minute)},
			{Notice: "n2", Host: "web1", Groups: "web/front", Statistic: "cpu.usage", Unit: "%", Limit: limit, Value: 97.3,
				Since: ago(8 * time.Minute)},
			{Notice: "n3", Host: "db1.example.org", Groups: "database", Statistic: "disk.usage", Instance: "/var/lib/mysql",
				Unit: "%", Limit: "above 85 %", Value: 93.4, Since: sweep},
			{Notice: "n4", Host: "db2.example.org", Groups: "database", Statistic: "visit.failed", Unit: "1", Limit: "above 0",
				Value: 1, Since: sweep, Text: "dial: dial tcp 10.0.0.12:22: connect: connection refused"},
			{Notice: "n5", Host: "files1", Statistic: "disk.read.rate", Instance: "sda", Unit: "B/s", Limit: "above 20 MiB/s",
				Value: 21.5 * 1024 * 1024, Since: ago(26 * time.Hour)},
			{Notice: "n6", Host: "büro-磁盘", Groups: "office", Statistic: "temperature", Instance: "coretemp package 0",
				Unit: "Cel", Limit: "above 70 °C for 1m", Value: 71, Since: ago(time.Minute)},
		},
		Ended: []mail.Item{
			{Notice: "n7", Host: "web9", Groups: "web", Statistic: "memory.usage", Unit: "%", Limit: "above 80 %", Value: 41.2,
				Since: ago(125 * time.Minute), Ended: sweep},
			{Notice: "n8", Host: "db1.example.org", Groups: "database", Statistic: "disk.usage", Instance: "/mnt/backup",
				Unit: "%", Limit: "above 85 %", Value: 99, Since: ago(76 * time.Hour), Ended: sweep, Text: "no longer reported"},
			{Notice: "n9", Host: "mail1", Groups: "mail", Statistic: "visit.failed", Unit: "1", Limit: "above 0",
				Since: ago(9 * time.Minute), Ended: sweep, Text: "handshake: no answer within 10s"},
		},
	}
}

func one() mail.Digest {
	d := fleet()
	d.Raised, d.Ended, d.Ongoing, d.Failed, d.Hosts = d.Raised[2:3], nil, 0, 0, 1
	return d
}

func over() mail.Digest {
	d := fleet()
	d.Raised, d.Ended, d.Ongoing = nil, d.Ended[:1], 1
	return d
}

// logged has log records, and a limit on them.
func logged() mail.Digest {
	d := fleet()
	d.Ongoing, d.Failed, d.Ended = 0, 0, nil
	d.Raised = []mail.Item{{
		Notice: "n1", Host: "dc1", Groups: "windows", Statistic: "logs.matches", Instance: "Security 4625", Unit: "1",
		Limit: "above 10 within 10m", Value: 14, Since: sweep,
		Text: "2026-03-01 11:51:12 to 11:59:48 UTC; the last: 11:59:44 4625 " +
			`Microsoft-Windows-Security-Auditing: An account failed to log on: CORP\alice from 10.0.0.5, network logon: wrong password`,
	}}
	record := func(id int64, host, channel string, event int64, source, text string) mail.Record {
		return mail.Record{Notice: fmt.Sprint(host, id), Host: host, Groups: "windows", Channel: channel, Record: report.Record{
			ID: id, Time: ago(time.Duration(id) * time.Minute), Event: event, Source: source, Message: text, Level: report.AuditSuccess, User: `CORP\bob`,
		}}
	}
	d.Records = []mail.Record{
		record(3, "dc2", "Security", 1102, "Microsoft-Windows-Eventlog", `The audit log was cleared: CORP\bob`),
		record(5, "dc1", "Security", 1102, "Microsoft-Windows-Eventlog", `The audit log was cleared: CORP\bob`),
		record(4, "dc1", "Security", 4720, "Microsoft-Windows-Security-Auditing", `A user account was created: CORP\eve, by CORP\bob`),
		record(9, "web1", "journal", 0, "sudo", "bob : user NOT in sudoers ; TTY=pts/0 ; PWD=/home/bob ; USER=root ; COMMAND=/bin/sh"),
		{Notice: "more", Host: "web1", More: 1234},
	}
	return d
}

// cleared is a mail of one record alone.
func cleared() mail.Digest {
	d := logged()
	d.Raised, d.Records = nil, d.Records[:1]
	return d
}

// hostile has what a host, a network or a careless administrator might put into a mail.
func hostile() mail.Digest {
	d := fleet()
	d.Raised = []mail.Item{
		{Host: "a\r\nBcc: victim@example.org", Groups: "g\x00\x1b[31m", Statistic: "disk.usage",
			Instance: `<script>alert("x")</script>`, Unit: "<b>", Limit: "above 1 <i>", Value: 2, Since: sweep},
		{Host: "\u202egnp.exe", Statistic: "disk.usage", Instance: "'\"><img src=x onerror=y> {{.}} " + strings.Repeat("é", 500),
			Limit: "above 1 <i>", Value: 3, Since: sweep.Add(time.Hour)},
		{Host: "c\xff\xfe\u2028", Statistic: "visit.failed", Since: time.Time{},
			Text: "line one\nline two\x07 </td></table> javascript:alert(1) " + strings.Repeat("long ", 200)},
	}
	d.Ended = nil
	d.Records = []mail.Record{{Notice: "r", Host: "a\r\nBcc: x", Groups: "g\x00", Channel: "file:/<b>\u202e", Record: report.Record{
		Time: sweep, Source: "<script>\x1b", Level: "</td>\u2066", User: "u\u200b" + strings.Repeat("é", 500),
		Message: "line one\nline two\x07 </td></table> {{.}} " + strings.Repeat("long ", 200),
	}}}
	return d
}

func render(t *testing.T, d mail.Digest) mail.Message {
	t.Helper()
	m, err := mail.Render(d)
	if err != nil {
		t.Fatal(err)
	}
	return m
}
