package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"muster/internal/client/logs"
	"muster/internal/client/logs/files"
	"muster/internal/report"
)

// everything is a source that reads each channel.
func everything(files.Fence) []logs.Source {
	return []logs.Source{{
		Takes: func(string) bool { return true },
		Read:  func(_ context.Context, q logs.Query) report.Logs { return report.Logs{Channel: q.Channel} },
	}}
}

// read has the first source that takes a channel read it, and returns its trouble.
func read(t *testing.T, sources []logs.Source, channel string) string {
	t.Helper()
	cursor := report.Cursor{Epoch: 7, Record: 8, Position: "here"}
	for _, source := range sources {
		if !source.Takes(channel) {
			continue
		}
		answer := source.Read(t.Context(), logs.Query{LogRequest: report.LogRequest{Channel: channel, Cursor: cursor}})
		if answer.Channel != channel {
			t.Fatalf("asked for %q, answered %q", channel, answer.Channel)
		}
		if answer.Trouble == nil {
			return ""
		}
		if answer.Next != cursor || answer.Epoch != 7 {
			t.Errorf("the cursor moved: %+v", answer)
		}
		return answer.Trouble.Text
	}
	t.Fatalf("nobody reads %q", channel)
	return ""
}

func TestInstalledClientReadsWhatIsAllowed(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "listed.logs"),
		[]byte("# of this host\r\njournal\n  file:/var/log/auth.log  \n\nSecurity\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "long.logs"), make([]byte, maxList+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(folder, "folder.logs"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		program string
		root    bool
		channel string
		want    string // in the trouble; empty: it is read
	}{
		{"listed", false, "journal", ""},
		{"listed", true, "file:/var/log/auth.log", ""},
		{"listed.exe", true, "security", ""},
		{"listed.EXE", true, "security", ""},
		{"listed", false, "file:/var/log/auth.log.1", "listed.logs names"},
		{"listed", true, "file:/var/log/../../etc/shadow", "listed.logs names"},
		{"listed", true, "file:/VAR/log/auth.log", "listed.logs names"},
		{"listed", true, "# of this host", "listed.logs names"},
		{"unlisted", false, "file:/any", ""},
		{"unlisted", true, "file:/any", "runs as root"},
		{"long", false, "journal", "more than"},
		{"folder", false, "journal", "can't be read"},
	} {
		sources := allowed(filepath.Join(folder, c.program), c.root, everything)
		switch trouble := read(t, sources, c.channel); {
		case c.want == "" && trouble != "":
			t.Errorf("%+v: %s", c, trouble)
		case c.want != "" && !strings.Contains(trouble, c.want):
			t.Errorf("%+v: %q", c, trouble)
		}
	}
}
