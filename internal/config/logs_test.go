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
		text := l.Selection()
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
		all = append(all, fmt.Sprintf("%s > %d in %v", l.Selection(), l.Above, l.For))
	}
	for _, m := range h.MailRecords {
		all = append(all, "mail "+m.Selection())
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
		{`<limit log="Security" events="4625" logon="failed" above="99" for="1m"/>`,
			security + journal + limits + "Security 4625, failed logons > 99 in 1m0s; " + mails},
		{`<limit log="journal" logon="failed" levels="error" providers="sshd" above="3" for="1m"/><limit log="journal" logon="accepted" above="4" for="1m"/>
			<limit log="journal" logon="any" above="5" for="1m"/><limit log="journal" above="6" for="1m"/>`,
			security + journal + limits + "journal, failed logons, levels error, providers sshd > 3 in 1m0s; " +
				"journal, accepted logons > 4 in 1m0s; journal, logons > 5 in 1m0s; journal > 6 in 1m0s; " + mails},
		{`<limit log="Security" events="4625" logon="failed" above="none"/>`, security + journal + limits + mails},
		{`<mail-records log="journal" logon="failed"/>`, security + journal + limits + "mail Security 1102; mail journal, failed logons"},
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

// Two files whose names differ in one letter's case are two; on Windows they are one.
func TestLimitsOfFilesThatDifferInCase(t *testing.T) {
	c := parsed(t, muster(`<limit log="file:/log/a" above="1" for="1m"/><limit log="file:/log/A" above="2" for="1m"/>
		<limit log="file:c:\log\a" above="3" for="1m"/>
		<host name="h" address="a" key="k"><logs channel="file:/log/a"/><logs channel="file:/log/A"/></host>
		<host name="w" address="b" key="k"><logs channel="file:C:\log\a"/><limit log="file:C:\LOG\A" above="none"/></host>`))
	if got, want := c.host(t, "h").logTexts(), "file:/log/a; file:/log/A; file:/log/a > 1 in 1m0s; file:/log/A > 2 in 1m0s"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got, want := c.host(t, "w").logTexts(), `file:C:\log\a`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestLimitsOnLogons are inherited by what they select, and hold where a host brings home such logons.
func TestLimitsOnLogons(t *testing.T) {
	c := parsed(t, muster(`<limit log="Security" logon="failed" above="10" for="10m"/><limit log="journal" logon="failed" above="10" for="10m"/>
		<limit log="journal" above="20" for="10m"/><mail-records log="Security" logon="accepted"/>
		<group key="k">
			<logs channel="Security"/><host name="all" address="a"/>
			<host name="cleared" address="b"><logs channel="Security" events="1102"/></host>
			<host name="succeeded" address="c"><logs channel="SECURITY" events="4624"/></host>
			<host name="kerberos" address="d"><logs channel="Security" events="4768-4771" levels="audit-failure"/></host>
			<host name="elsewhere" address="e"><logs channel="Security" providers="Microsoft-Windows-Eventlog"/></host>
			<host name="filtered" address="f"><logs channel="Security" xpath="*[System[EventID=1102]]"/></host>
		</group>
		<group key="k"><logs channel="journal" levels="information" providers="sshd"/><host name="linux" address="g"/>
			<host name="more" address="h"><limit log="journal" logon="failed" above="99" for="1h"/></host>
			<host name="none" address="i"><limit log="journal" logon="failed" above="none"/></host>
			<host name="apart" address="j"><limit log="journal" above="none"/></host>
		</group>`))
	const failed, accepted = "; Security, failed logons > 10 in 10m0s", "; mail Security, accepted logons"
	const lines = "journal, levels information, providers sshd; "
	for name, want := range map[string]string{
		"all": "Security" + failed + accepted, "cleared": "Security 1102", "succeeded": "SECURITY 4624" + accepted,
		"kerberos":  "Security 4768-4771, levels audit-failure" + failed,
		"elsewhere": "Security, providers Microsoft-Windows-Eventlog",
		"filtered":  "Security xpath *[System[EventID=1102]]" + failed + accepted,
		"linux":     lines + "journal, failed logons > 10 in 10m0s; journal > 20 in 10m0s",
		"more":      lines + "journal > 20 in 10m0s; journal, failed logons > 99 in 1h0m0s",
		"none":      lines + "journal > 20 in 10m0s",
		"apart":     lines + "journal, failed logons > 10 in 10m0s",
	} {
		if got := c.host(t, name).logTexts(); got != want {
			t.Errorf("%s has %s\nwant %s", name, got, want)
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
		`<logs channel="a"/><limit log="a" logon="fail" above="1" for="1m"/>`,
		`<logs channel="a" events="1"/><limit log="a" logon="x" above="1" for="1m"/>`,
		`<logs channel="Security" events="1"/><limit log="Security" events="1" logon="failed" above="1" for="1m"/>`,
		`<logs channel="Security" events="4625"/><limit log="Security" levels="notice" logon="failed" above="1" for="1m"/>`,
		`<logs channel="a"/><mail-records log="a" logon="x"/><mail-records log="a"/>`,
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
		{report.Filter{Providers: []string{"!a"}}, report.Filter{Providers: []string{"a", "b"}}, true},
	} {
		if overlap(c.a, c.b) != c.want || overlap(c.b, c.a) != c.want {
			t.Errorf("%+v and %+v: %v", c.a, c.b, !c.want)
		}
	}
}

// TestOverlapOfThree filters, each two of which overlap.
func TestOverlapOfThree(t *testing.T) {
	ids := func(a, b int64) report.Filter {
		return report.Filter{Events: report.Events{{First: a, Last: a}, {First: b, Last: b}}}
	}
	levels := func(l ...report.Level) report.Filter { return report.Filter{Levels: l} }
	providers := func(p ...string) report.Filter { return report.Filter{Providers: p} }
	for _, c := range []struct {
		a, b, c report.Filter
		want    bool
	}{
		{ids(1, 2), ids(2, 3), ids(1, 3), false},
		{ids(1, 2), ids(2, 3), ids(2, 4), true},
		{levels(report.Error, report.Notice), levels(report.Notice, report.Debug), levels(report.Debug, report.Error), false},
		{levels(report.Error, report.Notice), report.Filter{}, levels(report.Debug, report.Error), true},
		{providers("a", "b"), providers("b", "c"), providers("c", "a"), false},
		{providers("a", "b"), providers("b", "c"), providers("!c"), true},
		{providers("a", "b"), providers("b", "c"), providers("!B"), false},
	} {
		if overlap(c.a, c.b, c.c) != c.want || overlap(c.c, c.b, c.a) != c.want || overlap(c.b, c.a, c.c) != c.want {
			t.Errorf("%+v, %+v and %+v: %v", c.a, c.b, c.c, !c.want)
		}
	}
}
