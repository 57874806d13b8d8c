package journal

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"muster/internal/client/logs"
	"muster/internal/report"
	"muster/internal/testserver"
)

// boot is an id of a boot, as the entries of the fixtures have it.
const boot = "0123456789abcdef0123456789abcdef"

// noon is the time of the fixtures' first entries.
func noon() time.Time { return time.Date(2026, 11, 18, 12, 0, 0, 0, time.UTC) }

// export writes entries in journald's export format.
type export struct {
	bytes.Buffer
	at time.Time // of the next entry
	n  int       // entries so far
}

func newExport() *export { return &export{at: noon()} }

// add adds an entry, with fields as NAME=value.
func (x *export) add(fields ...string) *export {
	fmt.Fprintf(x, "__REALTIME_TIMESTAMP=%d\n__MONOTONIC_TIMESTAMP=%d\n_BOOT_ID=%s\n",
		x.at.UnixMicro(), x.at.Sub(noon()).Microseconds()+int64(x.n)+1000, boot)
	for _, f := range fields {
		name, value, _ := strings.Cut(f, "=")
		if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r >= 0x7F }) {
			x.WriteString(name + "\n")
			x.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(value))))
			x.WriteString(value + "\n")
		} else {
			x.WriteString(f + "\n")
		}
	}
	x.WriteString("\n")
	x.at = x.at.Add(time.Millisecond)
	x.n++
	return x
}

// lines adds entries with the messages "WORD 1" to "WORD n" and the priorities 0 to 7 in turn.
func (x *export) lines(word string, n int) *export {
	for i := 1; i <= n; i++ {
		x.add("MESSAGE="+word+" "+strconv.Itoa(i), "PRIORITY="+strconv.Itoa(i%8), "SYSLOG_IDENTIFIER="+word, "_PID=7")
	}
	return x
}

// rotate adds three entries, of so many different fields that a file of the journal takes only one of them.
func (x *export) rotate(word string) *export {
	for i := 1; i <= 3; i++ {
		fields := []string{"MESSAGE=" + word + " " + strconv.Itoa(i), "PRIORITY=6", "SYSLOG_IDENTIFIER=" + word}
		for j := range 300 {
			fields = append(fields, fmt.Sprintf("F%d=%s%d", j, word, i))
		}
		x.add(fields...)
	}
	return x
}

// remote writes entries to a journal, which may be there already, with systemd's own program.
func (x *export) remote(t testing.TB, journal string) {
	t.Helper()
	program := testserver.Need(t, "systemd-journal-remote", "systemd-journal-remote")
	in := filepath.Join(t.TempDir(), "entries")
	if err := os.WriteFile(in, x.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), program, "--output="+journal, in).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	x.Reset()
}

// folder returns a new folder for journals.
func folder(t testing.TB) string {
	t.Helper()
	testserver.Need(t, "journalctl", "systemd")
	return t.TempDir()
}

// archive gives the current file of a lineage the name that journald gives it when it begins the next.
func archive(t testing.TB, dir, lineage string) string {
	t.Helper()
	path := filepath.Join(dir, lineage+".journal")
	f, err := readHeader(path)
	if err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(dir, fmt.Sprintf("%s@%s-%016x-%016x.journal", lineage, f.stream, f.head, f.tailTime))
	if err := os.Rename(path, to); err != nil {
		t.Fatal(err)
	}
	return to
}

// all returns a query for all there is in a journal.
func all() logs.Query {
	return logs.Query{
		LogRequest: report.LogRequest{Channel: report.Journal, Since: report.SinceAll, Fresh: 100},
		Records:    1 << 20, Bytes: 1 << 30, Now: noon().Add(time.Hour),
	}
}

// ask has a query answered, and checks what holds of every answer.
func ask(t testing.TB, dir string, q logs.Query) report.Logs {
	t.Helper()
	return askWith(t.Context(), t, Options{Folders: []string{dir}}, q)
}

func askWith(ctx context.Context, t testing.TB, o Options, q logs.Query) report.Logs {
	t.Helper()
	answer := Reader(o)(ctx, q)
	if err := answer.Clean(); err != nil {
		t.Fatalf("the answer can't be sent: %v", err)
	}
	one := report.Request{Logs: []report.LogRequest{q.LogRequest}, Records: q.Records, Bytes: q.Bytes}
	if err := one.CheckLogs([]report.Logs{answer}); err != nil {
		t.Fatalf("the server would refuse it: %v", err)
	}
	return answer
}

// good fails where an answer has trouble.
func good(t testing.TB, answer report.Logs) report.Logs {
	t.Helper()
	if answer.Trouble != nil {
		t.Fatalf("trouble: %+v", *answer.Trouble)
	}
	return answer
}

// on returns the query that follows an answer which was kept.
func on(q logs.Query, answer report.Logs) logs.Query {
	q.Cursor = answer.Next
	q.Fresh = max(q.Fresh, answer.Epoch) + 1
	q.Begun = report.Epoch{}
	return q
}

func messages(records []report.Record) []string {
	list := make([]string, 0, len(records))
	for i := range records {
		list = append(list, records[i].Message)
	}
	return list
}

// script writes a shell script that stands in for journalctl.
func script(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "journalctl")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}
