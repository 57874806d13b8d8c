package journal

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"muster/internal/report"
)

func TestFieldsOfAnEntry(t *testing.T) {
	dir := folder(t)
	x := newExport()
	x.add("MESSAGE=Failed password for root", "PRIORITY=6", "SYSLOG_IDENTIFIER=sshd", "_COMM=sshd-session", "_PID=4711", "SYSLOG_PID=4710",
		"_HOSTNAME=web1", "_UID=0", "_EXE=/usr/sbin/sshd", "_SYSTEMD_UNIT=ssh.service", "_TRANSPORT=syslog", "SYSLOG_FACILITY=10",
		"_SOURCE_REALTIME_TIMESTAMP=1795000000123456", "_CAP_EFFECTIVE=1ff", "SYSLOG_RAW=<86>x", "_AUDIT_SESSION=3",
		"MESSAGE_ID=fc2e22bc6ee647b6b90729ab34a250b1", "COLOUR=blue")
	x.add("MESSAGE=by its program", "_COMM=cron", "SYSLOG_PID=12", "_UID=4294967294")
	x.add("PRIORITY=9")
	x.add("MESSAGE=two\nlines and \x1b[31m red", "PRIORITY=3")
	x.add("MESSAGE=caf\xe9 \x00 end", "PRIORITY=0", "SYSLOG_IDENTIFIER=n\xf6n")
	x.add("MESSAGE=first", "MESSAGE=second", "TAG=a", "TAG=b")
	x.add("MESSAGE="+strings.Repeat("long ", 20_000), "BINARY=\x01\x02=\n")
	x.remote(t, filepath.Join(dir, "system.journal"))

	q := all()
	q.Raw = true
	answer := good(t, ask(t, dir, q))
	if len(answer.Records) != 7 {
		t.Fatalf("%d records", len(answer.Records))
	}
	first := answer.Records[0]
	slices.SortFunc(first.Data, func(a, b report.Field) int { return strings.Compare(a.Name, b.Name) })
	raw := first.Raw
	first.Raw = ""
	want := report.Record{
		ID: 1, Time: time.UnixMicro(1795000000123456).UTC(), Level: report.Information, Source: "sshd", Computer: "web1",
		User: "root", Process: 4711, Message: "Failed password for root",
		Data: []report.Field{
			{Name: "COLOUR", Value: "blue"}, {Name: "MESSAGE_ID", Value: "fc2e22bc6ee647b6b90729ab34a250b1"},
			{Name: "SYSLOG_FACILITY", Value: "10"}, {Name: "_AUDIT_SESSION", Value: "3"}, {Name: "_BOOT_ID", Value: boot},
			{Name: "_COMM", Value: "sshd-session"}, {Name: "_EXE", Value: "/usr/sbin/sshd"},
			{Name: "_SYSTEMD_UNIT", Value: "ssh.service"}, {Name: "_TRANSPORT", Value: "syslog"}, {Name: "_UID", Value: "0"},
		},
	}
	if !reflect.DeepEqual(first, want) {
		t.Errorf("got  %+v\nwant %+v", first, want)
	}
	if !strings.Contains(raw, `"_CAP_EFFECTIVE":"1ff"`) {
		t.Errorf("the raw form lacks a field: %s", raw)
	}
	r := answer.Records
	if r[1].Source != "cron" || r[1].Process != 12 || r[1].User != "4294967294" || r[1].Level != "" ||
		!r[1].Time.Equal(noon().Add(time.Millisecond)) {
		t.Errorf("an entry with little: %+v", r[1])
	}
	if r[2].Message != "" || r[2].Level != "" {
		t.Errorf("an entry without a message, of a priority that is none: %+v", r[2])
	}
	if r[3].Message != "two\nlines and \uFFFD[31m red" || !r[3].Altered || r[3].Level != report.Error {
		t.Errorf("two lines: %+v", r[3])
	}
	if r[4].Message != "caf\uFFFD \uFFFD end" || r[4].Source != "n\uFFFDn" || !r[4].Altered || r[4].Level != report.Emergency {
		t.Errorf("an entry that is not UTF-8: %+v", r[4])
	}
	if m := r[5].Message; m != "first\nsecond" && m != "second\nfirst" || r[5].Altered {
		t.Errorf("two messages: %+v", r[5])
	}
	if !strings.HasPrefix(r[6].Message, "long long") || len(r[6].Message) != report.MaxMessage || !r[6].Altered {
		t.Errorf("a long message has %d bytes", len(r[6].Message))
	}
	compareWithJSON(t, dir, r)
}

// compareWithJSON compares the raw form of records with what journalctl itself says of them.
func compareWithJSON(t *testing.T, dir string, records []report.Record) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "journalctl", "--directory="+dir, "--output=json", "--all", "--quiet", "--no-pager").Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	if len(lines) != len(records) {
		t.Fatalf("journalctl has %d entries, there are %d", len(lines), len(records))
	}
	for i, line := range lines {
		var theirs, ours map[string]any
		if err := json.Unmarshal(line, &theirs); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(records[i].Raw), &ours); err != nil {
			t.Errorf("entry %d: %v: %.200s", i+1, err, records[i].Raw)
		} else if !reflect.DeepEqual(sorted(ours), sorted(theirs)) {
			t.Errorf("entry %d: the raw form is\n%.500s\nand journalctl says\n%.500s", i+1, records[i].Raw, line)
		}
	}
}

// sorted sorts the values of fields that are there several times: journald keeps no order of them.
func sorted(entry map[string]any) map[string]any {
	for _, value := range entry {
		if list, ok := value.([]any); ok {
			slices.SortFunc(list, func(a, b any) int {
				x, _ := a.(string)
				y, _ := b.(string)
				return strings.Compare(x, y)
			})
		}
	}
	return entry
}

func TestRawOnlyWhereItIsWanted(t *testing.T) {
	dir := folder(t)
	newExport().lines("a", 1).remote(t, filepath.Join(dir, "system.journal"))
	if r := good(t, ask(t, dir, all())).Records; len(r) != 1 || r[0].Raw != "" {
		t.Errorf("%+v", r)
	}
}

func TestMarkOfAnEntry(t *testing.T) {
	for _, c := range []struct {
		text string
		want mark
		ok   bool
	}{
		{"__CURSOR=s=ab;i=1f;b=cd;m=1;t=2;x=3\n__REALTIME_TIMESTAMP=5\n\n", mark{"ab", 31, 5}, true},
		{"__CURSOR=opaque\n__REALTIME_TIMESTAMP=5\n__SEQNUM=31\n__SEQNUM_ID=ab\n\n", mark{"ab", 31, 5}, true},
		{"__CURSOR=opaque\n__REALTIME_TIMESTAMP=5\n\n", mark{time: 5}, false},
		{"__CURSOR=s=ab;i=0\n__REALTIME_TIMESTAMP=5\n\n", mark{stream: "ab", time: 5}, false},
		{"__CURSOR=s=ab;i=ffffffffffffffff\n__REALTIME_TIMESTAMP=5\n\n", mark{}, false},
		{"__CURSOR=s=ab;i=1\n\n", mark{stream: "ab", sequence: 1}, false},
		{"MESSAGE=x\n\n", mark{}, false},
	} {
		var e entry
		if err := newParser(strings.NewReader(c.text)).next(&e); err != nil {
			t.Fatal(err)
		}
		got, ok := markOf(&e)
		if ok != c.ok || ok && got != c.want {
			t.Errorf("%q: %+v, %v", c.text, got, ok)
		}
	}
}
