package cli

import (
	"strings"
	"testing"
	"time"

	"muster/internal/config"
	"muster/internal/events"
	"muster/internal/report"
)

func TestLogTerms(t *testing.T) {
	only := report.Filter{Events: report.Events{{First: 4625, Last: 4625}}}
	h := config.Host{
		Mail: []string{"a@example.org", "b@example.org"},
		Logs: []config.Logs{
			{Channel: "Security", Filter: report.Filter{Events: report.Events{{First: 4624, Last: 4625}}, XPath: "*[a\u202e]"}, Since: time.Hour, Raw: true},
			{Channel: "journal", Filter: report.Filter{Levels: []report.Level{report.Error}, Providers: []string{"sshd"}}},
			{Channel: "file:/a", Since: report.SinceAll, Raw: true, Messages: true},
		},
		EventLimits: []config.EventLimit{
			{Records: config.Records{Channel: "Security", Filter: only}, Above: 10, For: 10 * time.Minute},
			{Records: config.Records{Channel: "journal", Logon: events.Failed}, Above: 5, For: time.Hour},
		},
		MailRecords: []config.Records{{Channel: "Security", Filter: only}, {Channel: "file:/a", Logon: events.Any}},
	}
	const want = `logs:  Security 4624-4625, xpath *[a\u202e]; at first the last 1h
logs:  journal, levels error, providers sshd; at first from now on, without the raw form
logs:  file:/a; at first all there is, with messages
limit: Security 4625: above 10 within 10m
limit: journal, failed logons: above 5 within 1h
mail:  Security 4625, to a@example.org, b@example.org
mail:  file:/a, logons, to a@example.org, b@example.org
`
	var b strings.Builder
	printLogTerms(&b, &h)
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
	h.Mail = nil
	b.Reset()
	printLogTerms(&b, &h)
	if !strings.Contains(b.String(), "mail:  Security 4625, to nobody") {
		t.Error(b.String())
	}
	b.Reset()
	printLogTerms(&b, new(config.Host))
	if b.Len() > 0 {
		t.Error(b.String())
	}
}
