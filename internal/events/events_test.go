package events

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"muster/internal/client/logs/winevent"
	"muster/internal/report"
)

func TestCatalogue(t *testing.T) {
	seen := map[key]bool{}
	for _, e := range Catalogue() {
		id := key{e.ID, e.Provider}
		if seen[id] {
			t.Errorf("%d of %s is there twice", e.ID, e.Provider)
		}
		seen[id] = true
		if e.Name == "" || strings.HasSuffix(e.Name, ".") || !strings.HasSuffix(e.Meaning, ".") || e.Channel == "" || e.Provider == "" || e.Name+"." == e.Meaning {
			t.Errorf("%+v", e)
		}
		if strings.Contains(e.Link, "/event-") && !strings.HasSuffix(e.Link, "/event-"+number(e.ID)) {
			t.Errorf("%d links to %s", e.ID, e.Link)
		}
		if strings.Count(e.form, "{") != strings.Count(e.form, "}") {
			t.Errorf("%d: %s", e.ID, e.form)
		}
		r := &report.Record{Event: e.ID, Source: strings.ToUpper(e.Provider)}
		if found, ok := Lookup(r); !ok || found != e {
			t.Errorf("%d of %s is found as %+v", e.ID, e.Provider, found)
		}
		if Describe(r) != e.Name {
			t.Errorf("without data, %d is %q", e.ID, Describe(r))
		}
	}
	for _, r := range []*report.Record{{}, {Source: auditing}, {Event: 4625}, {Event: 4625, Source: "x"}, {Event: 1, Source: auditing}} {
		if e, ok := Lookup(r); ok {
			t.Errorf("%+v is %+v", r, e)
		}
	}
}

func TestDescribe(t *testing.T) {
	for _, test := range []struct {
		record *report.Record
		want   string
	}{
		{security(4732, "MemberName", "-", "MemberSid", "S-1-5-21-9", "TargetUserName", "Administrators", "TargetDomainName", "Builtin", "SubjectUserName", "eve", "SubjectDomainName", "CORP"),
			`A member was added to a local group: S-1-5-21-9 to Builtin\Administrators by CORP\eve`},
		{security(4728, "MemberName", "CN=Eve,DC=corp", "TargetUserName", "Domain Admins", "TargetDomainName", "CORP"), `A member was added to a global group: CN=Eve,DC=corp to CORP\Domain Admins`},
		{security(4740, "TargetUserName", "alice", "TargetDomainName", "WS7", "SubjectUserName", "DC1$"), `A user account was locked out: alice from WS7`},
		{security(4688, "NewProcessName", `C:\a.exe`, "CommandLine", "", "SubjectUserName", "eve"), `A process was created: C:\a.exe by eve`},
		{security(4688, "NewProcessName", `C:\a.exe`, "CommandLine", "a.exe\r\n  /x", "SubjectUserName", "eve", "ParentProcessName", "cmd.exe"), `A process was created: a.exe /x by eve under cmd.exe`},
		{security(4719, "AuditPolicyChanges", "%%8448, %%8450", "SubjectUserName", "eve"), `The system's audit policy was changed: success removed, failure removed by eve`},
		{security(4634, "TargetUserName", "alice", "LogonType", "3"), `An account was logged off: alice, network logon`},
		{security(4769, "TargetUserName", "a@CORP", "ServiceName", "cifs", "IpAddress", "::ffff:10.0.0.5", "Status", "0x1b"),
			`A Kerberos service ticket was requested: a@CORP for cifs from 10.0.0.5: the service must be asked by way of the user`},
		{&report.Record{Event: 1102, Source: "Microsoft-Windows-Eventlog", Data: []report.Field{{Name: "SubjectUserName", Value: "eve"}, {Name: "SubjectDomainName", Value: "CORP"}}}, `The audit log was cleared by CORP\eve`},
		{&report.Record{Event: 6008, Source: "EventLog", Data: []report.Field{{Value: "12:34:56"}, {Value: "1.2.2026"}, {Name: "Binary", Value: "00"}}}, `The last shutdown was unexpected: 1.2.2026 12:34:56`},
		{&report.Record{Event: 7045, Source: "Service Control Manager", Message: "A service…", Data: []report.Field{{Name: "ServiceName", Value: "PSEXESVC"}, {Name: "ImagePath", Value: "%SystemRoot%\\PSEXESVC.exe"}}},
			`A service was installed: PSEXESVC (%SystemRoot%\PSEXESVC.exe)`},
		{&report.Record{Event: 9, Source: "x", Message: " one\r\n\ttwo "}, "one two"},
		{&report.Record{Event: 9, Source: "x", Data: []report.Field{{Name: "a", Value: "1"}, {Value: "2"}, {Name: "b"}, {Name: "c", Value: "3\n4"}}}, "a=1, 2, c=3 4"},
		{&report.Record{}, ""},
		{&report.Record{Message: strings.Repeat("é", 501)}, strings.Repeat("é", 498) + "…"},
	} {
		if got := Describe(test.record); got != test.want {
			t.Errorf("%q\nwant %q", got, test.want)
		}
	}
	long := &report.Record{Data: []report.Field{{Name: "a", Value: strings.Repeat("\u20ac", 30000)}}}
	if got := Describe(long); len(got) > maxLine || !strings.HasSuffix(got, "…") || !utf8.ValidString(got) {
		t.Errorf("%d bytes: %q", len(got), got)
	}
}

func TestCodes(t *testing.T) {
	for code, want := range map[string]string{
		"0xC000006D": "wrong user name or password", "0xc000006a": "wrong password", "0xC0000064": "no such user",
		"0xC0000234": "account locked out", "0xC0000072": "account disabled", "0xC0000193": "account expired",
		"0xC0000071": "password expired", "0xC0000224": "password must be changed first",
		"0xC000015B": "this type of logon is not granted", "0x0": "", "": "", "x": "", "0xzz": "", "0xC0000001": "",
	} {
		if got := Status(code); got != want {
			t.Errorf("status %s: %q, want %q", code, got, want)
		}
	}
	for code, want := range map[string]string{"0x6": "no such user", "0x12": "account disabled, expired or locked out",
		"0x17": "password expired", "0x18": "wrong password", "0x25": "clocks differ too much", "0x0": "", "24": "", "0x99": ""} {
		if got := Kerberos(code); got != want {
			t.Errorf("Kerberos %s: %q, want %q", code, got, want)
		}
	}
	for number, want := range map[string]string{"2": "interactive", "3": "network", "5": "service", "10": "remote desktop", "1": "", "14": "", "": ""} {
		if got := LogonType(number); got != want {
			t.Errorf("logon type %s: %q, want %q", number, got, want)
		}
	}
}

// TestDocumentation compares docs/windows.md with the package: each event, logon type and code, in their order. What was added
// to the package is added to the page by pasting what this test says is missing.
func TestDocumentation(t *testing.T) {
	page, err := os.ReadFile("../../docs/windows.md")
	if err != nil {
		t.Fatal(err)
	}
	_, page, _ = bytes.Cut(page, []byte("\n## Events and what they mean\n"))
	var want []string
	for _, e := range Catalogue() {
		id := number(e.ID)
		if e.Link != "" {
			id = "[" + id + "](" + e.Link + ")"
		}
		want = append(want, "| "+id+" | "+e.Channel+" | "+e.Name+" | "+e.Meaning+" |")
	}
	for _, c := range LogonTypes() {
		want = append(want, fmt.Sprintf("| `%d` | %s |", c.Number, c.Words))
	}
	for _, c := range slices.Concat(Statuses(), KerberosCodes()) {
		digits := 0
		if c.Number > 0xFFFF {
			digits = 8
		}
		want = append(want, fmt.Sprintf("| `0x%0*X` | %s |", digits, c.Number, c.Words))
	}
	var rows []string
	for line := range strings.Lines(string(page)) {
		if strings.HasPrefix(line, "| `") || strings.HasPrefix(line, "| [") || len(line) > 3 && line[2] >= '0' && line[2] <= '9' && line[0] == '|' {
			rows = append(rows, strings.TrimSpace(line))
		}
	}
	for i := range max(len(want), len(rows)) {
		switch {
		case i >= len(rows):
			t.Errorf("docs/windows.md lacks the row\n%s", want[i])
		case i >= len(want):
			t.Errorf("docs/windows.md has a row too many\n%s", rows[i])
		case rows[i] != want[i]:
			t.Fatalf("docs/windows.md has the row\n%s\nin place of\n%s", rows[i], want[i])
		}
	}
}

func number(id int64) string { return (&report.Events{{First: id, Last: id}}).String() }

// real returns the real events, which lie beside the repository. A checkout without them skips the test.
func real(t *testing.T, file string) []report.Record {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "shared", "data", "windows-events", file))
	if err != nil {
		t.Skipf("the real events are not beside this checkout: %v", err)
	}
	var records []report.Record
	for _, document := range regexp.MustCompile(`(?s)<Event xmlns=.*?</Event>`).FindAll(text, -1) {
		r, err := winevent.Parse(document)
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, r)
	}
	return records
}

// All events of the real Security logs are known, and nothing of a form shows through.
func TestRealEvents(t *testing.T) {
	for _, r := range real(t, "security.xml") {
		e, ok := Lookup(&r)
		if !ok {
			t.Errorf("event %d of %s is not known", r.Event, r.Source)
			continue
		}
		line := Describe(&r)
		if !strings.HasPrefix(line, e.Name) || strings.ContainsAny(line, "|\r\n") || strings.Contains(line, "  ") || strings.HasSuffix(line, " ") ||
			strings.HasSuffix(line, ":") {
			t.Errorf("%d: %q", r.Event, line)
		}
		if e.form != "" && len(r.Data) > 2 && line == e.Name {
			t.Errorf("%d says nothing of %q", r.Event, r.Data)
		}
		t.Log(r.Event, line)
	}
}

// The logons among the real events, counted by hand with grep.
func TestRealLogons(t *testing.T) {
	count := map[Logon]int{}
	for _, r := range real(t, "security.xml") {
		if l, ok := LogonOf("Security", &r); ok {
			count[l]++
		}
	}
	for l, n := range count {
		t.Logf("%d× %+v", n, l)
	}
	for l, want := range map[Logon]int{
		{Failed, `TESTCOMPUTER\user`, "::1", "interactive"}:                   4,
		{Failed, `WIN-L0ZZQ76PMUF\Guest`, "WIN-L0ZZQ76PMUF", "network"}:       2,
		{Failed, `TEMPORAL\Administrator`, "23.94.153.202", "remote desktop"}: 1,
		{Failed, `IT104-3\Student`, "10.20.0.118", "network"}:                 1,
		{Failed, `WIN-L0ZZQ76PMUF\Administrator`, "127.0.0.1", "interactive"}: 2,
		{Accepted, `WIN-03DLIIOFRRA\fsir`, "127.0.0.1", "interactive"}:        1,
	} {
		if count[l] != want {
			t.Errorf("%+v: %d, want %d", l, count[l], want)
		}
	}
	failed, accepted := 0, 0
	for l, n := range count {
		if l.Outcome == Failed {
			failed += n
		} else {
			accepted += n
		}
	}
	if failed != 12 || accepted != 2 {
		t.Errorf("%d failed, %d accepted", failed, accepted)
	}
}

// Long texts with much white space are cut, but no character is.
func TestDescribeCutsNoCharacter(t *testing.T) {
	for _, most := range []int{maxLine, 8 * maxLine} {
		for before := most - 4; before <= most; before++ {
			text := strings.Repeat("a"+strings.Repeat(" ", 99), 100)[:before] + "😀ä😀"
			for _, r := range []*report.Record{{Message: text}, {Data: []report.Field{{Name: "x", Value: text}, {Value: "y"}}}} {
				if line := Describe(r); !utf8.ValidString(line) || len(line) > maxLine {
					t.Fatalf("%d bytes before it: %q", before, line)
				}
			}
		}
	}
}
