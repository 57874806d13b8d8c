package files_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A file that is shorter than the position says costs no memory for what it lacks.
func TestAPositionFarBehindTheEnd(t *testing.T) {
	for _, ending := range []string{"", ".gz"} {
		t.Run("compressed "+ending, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "x.log")
			appendTo(t, path, strings.Repeat("a line like others\n", 200))
			s := newServer(t, path)
			s.visit()
			words := strings.Fields(s.request.Cursor.Position)
			words[2] = fmt.Sprint(int64(1) << 45)
			s.request.Cursor.Position = strings.Join(words, " ")
			s.request.Cursor.Record = 1 << 44
			must(t, os.Rename(path, path+".1"))
			if ending != "" {
				compress(t, path+".1")
			}
			appendTo(t, path, "new\n")
			s.visit()
			if len(s.gaps) != 1 || s.order[len(s.order)-1] != "new" {
				t.Errorf("%d gaps, the last line is %q", len(s.gaps), s.order[len(s.order)-1])
			}
		})
	}
}

// So many names that look like rotated files are none that rotation made.
func TestTooManyRotatedFiles(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x.log")
	appendTo(t, path, "a\n")
	same := ""
	for i := range 100_001 {
		name := fmt.Sprintf("%s.%d", path, i)
		if i%1000 == 0 { // a file has not as many names everywhere
			same = name
			must(t, os.WriteFile(name, nil, 0o600))
			continue
		}
		must(t, os.Link(same, name))
	}
	answer := newServer(t, path).part()
	if answer.Trouble == nil || !strings.Contains(answer.Trouble.Text, "more than 100000 files") || len(answer.Records) > 0 {
		t.Errorf("got %d records, %+v", len(answer.Records), answer.Trouble)
	}
}
