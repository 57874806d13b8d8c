package files_test

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"muster/internal/client/logs"
	"muster/internal/client/logs/files"
	"muster/internal/report"
)

// fenced reads a file from its beginning within a fence.
func fenced(t *testing.T, path string, open ...string) report.Logs {
	t.Helper()
	return files.Source(files.Fence{Closed: true, Open: open, Advice: "list it"}).Read(t.Context(), logs.Query{
		LogRequest: report.LogRequest{Channel: report.FileChannel + path, Raw: true, Since: report.SinceAll, Fresh: 1},
		Records:    100, Bytes: 1 << 20, Now: time.Now().Add(time.Minute),
	})
}

// A fence holds against names, and against links that lead out of it; links within it may be followed.
func TestFence(t *testing.T) {
	dir := t.TempDir()
	open, closed := filepath.Join(dir, "open"), filepath.Join(dir, "closed")
	for _, folder := range []string{filepath.Join(open, "app"), closed} {
		must(t, os.MkdirAll(folder, 0o700))
	}
	path := func(folder, name string) string { return filepath.Join(folder, name) }
	for _, name := range []string{path(open, "x.log"), path(open, "app/y.log"), path(closed, "shadow"), path(closed, "x.log")} {
		appendTo(t, name, name+"\n")
	}
	must(t, os.Symlink(path(closed, "shadow"), path(open, "out.log")))
	must(t, os.Symlink("../closed/shadow", path(open, "relative.log")))
	must(t, os.Symlink(closed, path(open, "folder")))
	must(t, os.Symlink(path(open, "app/y.log"), path(open, "within.log")))
	must(t, os.Symlink(open, path(dir, "alias")))
	for name, test := range map[string]struct {
		path string
		open []string
		want string // empty: it is refused
	}{
		"in the folder":               {path(open, "x.log"), []string{open}, path(open, "x.log")},
		"below it":                    {path(open, "app/y.log"), []string{open}, path(open, "app/y.log")},
		"a link within it":            {path(open, "within.log"), []string{open}, path(open, "app/y.log")},
		"the folder is a link":        {path(dir, "alias/x.log"), []string{path(dir, "alias")}, path(open, "x.log")},
		"the file alone":              {path(closed, "x.log"), []string{open, path(closed, "x.log")}, path(closed, "x.log")},
		"elsewhere":                   {path(closed, "shadow"), []string{open}, ""},
		"beside the file":             {path(closed, "shadow"), []string{path(closed, "x.log")}, ""},
		"up and out":                  {open + "/../closed/shadow", []string{open}, ""},
		"a name that begins likewise": {path(closed, "x.log"), []string{path(dir, "clos")}, ""},
		"a link out of it":            {path(open, "out.log"), []string{open}, ""},
		"a relative one":              {path(open, "relative.log"), []string{open}, ""},
		"through a folder":            {path(open, "folder/shadow"), []string{open}, ""},
		"nothing is open":             {path(open, "x.log"), nil, ""},
		"what is open is gone":        {path(closed, "x.log"), []string{path(dir, "gone")}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			answer := fenced(t, test.path, test.open...)
			switch {
			case test.want == "":
				if l := answer.Trouble; l == nil || l.Kind != report.TroubleDenied || !strings.Contains(l.Text, "list it") || len(answer.Records) > 0 {
					t.Errorf("got %d records, %+v", len(answer.Records), l)
				}
			case len(answer.Records) != 1 || answer.Records[0].Raw != test.want:
				t.Errorf("got %+v", answer)
			}
		})
	}
}

// With a file those are open that were rotated from it, and nothing else.
func TestAFenceLetsRotatedFilesIn(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x.log")
	appendTo(t, path+".1", "old\n")
	appendTo(t, path, "new\n")
	if answer := fenced(t, path, path); len(answer.Records) != 1 || answer.Records[0].Raw != "old" || !answer.More || len(answer.Gaps) > 0 {
		t.Errorf("got %+v", answer)
	}
	if answer := fenced(t, path+".1", path); len(answer.Records) != 1 {
		t.Errorf("got %+v", answer)
	}
	if runtime.GOOS == "windows" {
		return
	}
	must(t, os.Remove(path+".1"))
	must(t, os.Symlink("/etc/passwd", path+".1"))
	if answer := fenced(t, path, path); len(answer.Records) != 1 || answer.Records[0].Raw != "new" {
		t.Errorf("got %+v", answer)
	}
}
