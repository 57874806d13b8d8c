package files_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"muster/internal/client/logs"
	"muster/internal/client/logs/files"
	"muster/internal/report"
)

// fenced reads a file from its beginning within a fence.
func fenced(t *testing.T, path string, fence files.Fence) report.Logs {
	t.Helper()
	return files.Source(fence).Read(t.Context(), logs.Query{
		LogRequest: report.LogRequest{Channel: report.FileChannel + path, Raw: true, Since: report.SinceAll, Fresh: 1},
		Records:    100, Bytes: 1 << 20, Now: time.Now().Add(time.Minute),
	})
}

// A fence holds against links that lead out of it; those within it may be followed.
func TestFence(t *testing.T) {
	dir := t.TempDir()
	open, closed := filepath.Join(dir, "open"), filepath.Join(dir, "closed")
	for _, folder := range []string{filepath.Join(open, "app"), closed} {
		must(t, os.MkdirAll(folder, 0o700))
	}
	path := func(folder, name string) string { return filepath.Join(folder, name) }
	for _, name := range []string{path(open, "x.log"), path(open, "app/y.log"), path(closed, "shadow")} {
		appendTo(t, name, name+"\n")
	}
	must(t, os.Symlink(path(closed, "shadow"), path(open, "out.log")))
	must(t, os.Symlink("../closed/shadow", path(open, "relative.log")))
	must(t, os.Symlink(closed, path(open, "folder")))
	must(t, os.Symlink(path(open, "app/y.log"), path(open, "within.log")))
	must(t, os.Symlink(open, path(dir, "alias")))
	for name, test := range map[string]struct {
		path  string
		fence files.Fence
		want  string // empty: it is refused
	}{
		"in the folder":         {path(open, "x.log"), files.Fence{closed, open}, path(open, "x.log")},
		"below it":              {path(open, "app/y.log"), files.Fence{open}, path(open, "app/y.log")},
		"a link within it":      {path(open, "within.log"), files.Fence{open}, path(open, "app/y.log")},
		"the folder is a link":  {path(dir, "alias/x.log"), files.Fence{path(dir, "alias")}, path(open, "x.log")},
		"a link into another":   {path(open, "out.log"), files.Fence{open, closed}, path(closed, "shadow")},
		"no fence":              {path(open, "out.log"), nil, path(closed, "shadow")},
		"a link out of it":      {path(open, "out.log"), files.Fence{open}, ""},
		"a relative one":        {path(open, "relative.log"), files.Fence{open}, ""},
		"through a folder":      {path(open, "folder/shadow"), files.Fence{open}, ""},
		"nothing is open":       {path(open, "x.log"), files.Fence{}, ""},
		"a folder that is gone": {path(open, "x.log"), files.Fence{path(dir, "gone")}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			answer := fenced(t, test.path, test.fence)
			switch {
			case test.want == "":
				if l := answer.Trouble; l == nil || l.Kind != report.TroubleDenied || !strings.Contains(l.Text, "a link out of") || len(answer.Records) > 0 {
					t.Errorf("got %d records, %+v", len(answer.Records), l)
				}
			case len(answer.Records) != 1 || answer.Records[0].Raw != test.want:
				t.Errorf("got %+v", answer)
			}
		})
	}
}

// What was promised at a reading that found no file is read within the fence, too.
func TestFenceAfterACrashWhereThereWasNoFile(t *testing.T) {
	dir := t.TempDir()
	open, secret := filepath.Join(dir, "open"), filepath.Join(dir, "secret")
	must(t, os.Mkdir(open, 0o700))
	path := filepath.Join(open, "x.log")
	s := newServer(t, path)
	s.fence = files.Fence{open}
	s.dies()
	appendTo(t, secret, "a\n")
	must(t, os.Symlink(secret, path))
	s.visit()
	if l := s.last.Trouble; l == nil || l.Kind != report.TroubleDenied || len(s.order) > 0 {
		t.Errorf("got %q, %+v", s.order, l)
	}
}
