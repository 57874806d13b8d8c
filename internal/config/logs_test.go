package config

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"muster/internal/report"
)

// logTexts returns what a host has of logs, as a test compares it.
func (h Host) logTexts() string {
	var all []string
	for _, l := range h.Logs {
		text := Selection(l.Channel, l.Filter)
		if l.Filter.XPath != "" {
			text += " xpath " + l.Filter.XPath
		}
		switch l.Since {
		case time.Hour:
		case report.SinceAll:
			text += " since all"
		default:
			text += " since " + l.Since.String()
		}
		if !l.Raw {
			text += " not raw"
		}
		if l.Messages {
			text += " with messages"
		}
		all = append(all, text)
	}
	for _, l := range h.EventLimits {
		all = append(all, fmt.Sprintf("%s > %d in %v", Selection(l.Channel, l.Filter), l.Above, l.For))
	}
	for _, m := range h.MailRecords {
		all = append(all, "mail "+Selection(m.Channel, m.Filter))
	}
	return strings.Join(all, "; ")
}

func TestLogs(t *testing.T) {
	const outer = `<logs channel="Security" events="1102,4624-4625" since="all"/><logs channel="journal" levels="error" raw="no"/>
		<limit log="Security" events="4625" above="10" for="10m"/><limit log="Security" events="1102" above="0" for="1h"/>
		<mail-records log="Security" events="1102"/><mail-records log="journal"/>`
	const security, journal = "Security 1102,4624-4625 since all; ", "journal, levels error not raw; "
	const limits = "Security 4625 > 10 in 10m0s; Security 1102 > 0 in 1h0m0s; "
	const mails = "mail Security 1102; mail journal"
	for _, c := range []struct{ own, want string }{
		{``, security + journal + limits + mails},
		{`<logs channel="SECURITY"/>`, journal + "SECURITY; " + limits + mails},
		{`<logs channel="Security" events="4625" messages="yes" xpath="*"/>`,
			journal + "Security 4625 xpath * with messages; Security 4625 > 10 in 10m0s; mail journal"},
		{`<logs channel="Security" events="none"/>`, journal + "mail journal"},
		{`<logs channel="file:/Var/a" since="now"/>`, security + journal + "file:/Var/a since 0s; " + limits + mails},
		{`<logs channel="System" events="none"/>`, security + journal + limits + mails},
		{`<logs channel="journal" providers="sudo,!b,SSHD,sudo" levels="warning,critical,warning" since="1w"/>`,
			security + "journal, levels critical,warning, providers !b,SSHD,sudo since 168h0m0s; " + limits + mails},
		{`<limit log="security" events="4625" above="99" for="1m"/>`,
			security + journal + "Security 1102 > 0 in 1h0m0s; security 4625 > 99 in 1m0s; " + mails},
		{`<limit log="Security" events="4625" levels="audit-failure" above="99" for="1m"/>`,
			security + journal + limits + "Security 4625, levels audit-failure > 99 in 1m0s; " + mails},
		{`<limit log="Security" events="4625" above="none"/>`, security + journal + "Security 1102 > 0 in 1h0m0s; " + mails},
		{`<limit log="Security" above="none"/>`, security + journal + limits + mails},
		{`<limit log="Security" above="100000" for="7d"/>`, security + journal + limits + "Security > 100000 in 168h0m0s; " + mails},
		{`<mail-records log="security" events="4624"/><mail-records log="security" events="4625"/>`,
			security + journal + limits + "mail journal; mail security 4624; mail security 4625"},
		{`<mail-records log="Security" events="none"/>`, security + journal + limits + "mail journal"},
		{`<mail-records log="journal" events="none"/><mail-records log="Security" events="none"/>`, strings.TrimSuffix(security+journal+limits, "; ")},
	} {
		c1 := parsed(t, muster(outer+`<host name="own" address="a" key="k">`+c.own+`</host><host name="other" address="b" key="k"/>`))
		if got := c1.host(t, "own").logTexts(); got != c.want {
			t.Errorf("a host with %s\ngot  %s\nwant %s", c.own, got, c.want)
		}
		if got := c1.host(t, "other").logTexts(); got != security+journal+limits+mails {
			t.Errorf("%s changed another host's logs to %s", c.own, got)
		}
		c2 := parsed(t, muster(outer+`<group key="k"><host name="own" address="a"/>`+c.own+`</group>`))
		if got := c2.host(t, "own").logTexts(); got != c.want {
			t.Errorf("a group with %s\ngot  %s\nwant %s", c.own, got, c.want)
		}
	}
}

// TestLimitsForSeveralGroups has limits stand above the groups whose logs they are on.
func TestLimitsForSeveralGroups(t *testing.T) {
	c := parsed(t, muster(`<limit log="Security" events="4625" above="10" for="10m"/><limit log="journal" above="1" for="1m"/>
		<mail-records log="Security" events="1102,4720"/>
		<group key="k"><host name="w" address="a"/><logs channel="Security" events="4625"/></group>
		<group key="k"><group><logs channel="security" events="1102,4625"/><host name="w2" address="b"/></group></group>
		<host name="l" address="c" key="k"><logs channel="journal"/></host><host name="n" address="d" key="k"/>`))
	for name, want := range map[string]string{
		"w": "Security 4625; Security 4625 > 10 in 10m0s", "w2": "security 1102,4625; Security 4625 > 10 in 10m0s; mail Security 1102,4720",
		"l": "journal; journal > 1 in 1m0s", "n": "",
	} {
		if got := c.host(t, name).logTexts(); got != want {
			t.Errorf("%s has %s, want %s", name, got, want)
		}
	}
}

// TestJumpsHaveNoLogs: they are not visited.
func TestJumpsHaveNoLogs(t *testing.T) {
	c := parsed(t, muster(`<logs channel="Security"/><jump name="j" address="j" key="k"/><host address="a" key="k" via="j"/>`))
	if h := c.Hosts[0]; len(h.Logs) != 1 || len(h.Via.Logs) != 0 {
		t.Errorf("host %s, jump host %s", h.logTexts(), h.Via.logTexts())
	}
}

func TestHostsShareTheirLogs(t *testing.T) {
	c := parsed(t, muster(`<group key="k"><logs channel="Security"/><host address="a"/><host address="b"/></group>`))
	if &c.Hosts[0].Logs[0] != &c.Hosts[1].Logs[0] {
		t.Error("each host has its own copy of what it inherits")
	}
}

func TestLogWarnings(t *testing.T) {
	const mailed = `<mail host="m" from="a@b.example" to="%s"/>`
	for _, c := range []struct {
		document string
		want     []string
	}{
		{`<logs channel="Securty"/><host address="a" key="k"/>`, []string{`did you mean Security?`}},
		{`<logs channel="Jurnal"/><host address="a" key="k"/>`, []string{`did you mean journal?`}},
		{`<logs channel="Sysmon"/><logs channel="Custom"/><logs channel="SECURITY"/><host address="a" key="k"/>`, nil},
		{`<logs channel="Security"/><mail-records log="Security" events="1102"/><host address="a" key="k"/><host address="b" key="k"/>`,
			[]string{`log="Security" of <mail-records>: nobody is mailed without <mail>`}},
		{fmt.Sprintf(mailed, "") + `<logs channel="Security"/><mail-records log="Security"/><host name="a" address="a" key="k" mail="x@y.example"/>
			<host name="b" address="b" key="k"/><host name="c" address="c" key="k"/>`,
			[]string{`nobody is mailed the records of "b": name receivers by mail="…"`}},
		{fmt.Sprintf(mailed, "x@y.example") + `<logs channel="Security"/><mail-records log="Security"/><host address="a" key="k"/>`, nil},
		{fmt.Sprintf(mailed, "x@y.example") + `<mail-records log="Security"/><host address="a" key="k"><logs channel="Security"/></host>
			<host address="b" key="k" mail=""/>`, nil},
	} {
		var got []string
		for _, w := range parsed(t, muster(c.document)).Warnings {
			got = append(got, w.Message)
		}
		fits := slices.EqualFunc(got, c.want, strings.Contains)
		if !fits {
			t.Errorf("%s\ngot  %q\nwant %q", c.document, got, c.want)
		}
	}
}

// TestWrongLogsAreNotRepeated: one mistake is not reported again by what depends on it.
func TestWrongLogsAreNotRepeated(t *testing.T) {
	for _, wrong := range []string{
		`<logs channel="a"/><limit log="a" events="x" above="1" for="1m"/>`,
		`<logs channel="a"/><limit log="a" evnts="1" above="1" for="1m"/>`,
		`<logs channel="a"/><limit log="a" levels="eror" above="1" for="1m"/>`,
		`<logs channel="a"/><limit lgo="a" above="1" for="1m"/>`,
		`<logs channel="a"/><limit log="a:" above="1" for="1m"/>`,
		`<logs channel="a"/><limit log="a" above="1" for="x"/>`,
		`<logs channel="a"/><mail-records log="a" events="x"/>`,
		`<logs channel="a"/><mail-records lgo="a"/>`,
		`<logs channel="a" events="x"/><limit log="a" events="1" above="1" for="1m"/>`,
		`<logs chanel="a"/>`,
		`<logs channel="a" levels="x"/><mail-records log="a" levels="error"/>`,
	} {
		document := muster(wrong + `<logs channel="b"/><limit log="b" above="1" for="1m"/><host address="a" key="k"/>`)
		if got := mistakesIn(t, document, fixture()); len(got) != 1 {
			t.Errorf("%s: %q", wrong, got)
		}
	}
}

func TestOverlap(t *testing.T) {
	events := func(text string) report.Filter {
		parsed, err := report.ParseEvents(text)
		if err != nil {
			t.Fatal(err)
		}
		return report.Filter{Events: parsed}
	}
	for _, c := range []struct {
		a, b report.Filter
		want bool
	}{
		{report.Filter{}, report.Filter{}, true},
		{events("1"), report.Filter{}, true},
		{events("1"), events("2"), false},
		{events("1-10"), events("10-20"), true},
		{events("1-10,!5-10"), events("5-20"), false},
		{events("!5"), events("5"), false},
		{events("!0-5"), events("5,6"), true},
		{events("!0-4294967295"), events("!1"), false},
		{events("!0-4294967294"), events("!1"), true},
		{events("1-3,!1,!2"), events("!3"), false},
		{events("4624-4726,!4634"), events("4634-4635"), true},
		{report.Filter{Levels: []report.Level{report.Error}}, report.Filter{Levels: []report.Level{report.Warning}}, false},
		{report.Filter{Levels: []report.Level{report.Error}}, report.Filter{Levels: []report.Level{report.Warning, report.Error}}, true},
		{report.Filter{Providers: []string{"a"}}, report.Filter{Providers: []string{"b", "A"}}, true},
		{report.Filter{Providers: []string{"a"}}, report.Filter{Providers: []string{"b"}}, false},
		{report.Filter{Providers: []string{"!a"}}, report.Filter{Providers: []string{"A"}}, false},
		{report.Filter{Providers: []string{"!a"}}, report.Filter{Providers: []string{"!b"}}, true},
	} {
		if overlap(c.a, c.b) != c.want || overlap(c.b, c.a) != c.want {
			t.Errorf("%+v and %+v: %v", c.a, c.b, !c.want)
		}
	}
}
