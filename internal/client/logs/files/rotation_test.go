package files_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"muster/internal/testserver"
)

func TestRotationByRename(t *testing.T) {
	path := folder(t)
	s := newServer(t, path)
	appendTo(t, path, "a\nb\n")
	s.want("a", "b")
	appendTo(t, path, "c\n")
	rotate(t, path, 3)
	s.want("a", "b", "c") // the new file is not there yet
	appendTo(t, path+".1", "d\n")
	appendTo(t, path, "")
	s.want("a", "b", "c", "d") // the writer has not opened it yet
	appendTo(t, path+".1", "e")
	appendTo(t, path, "f\n")
	s.want("a", "b", "c", "d", "e", "f") // the last line of the old file has no end
	s.wantNoGap()
	if len(s.whys) != 2 || s.whys[1] != "the file was rotated" {
		t.Errorf("epochs began: %q", s.whys)
	}
	if s.kept[key{1, 9}] != "e" || s.kept[key{2, 1}] != "f" {
		t.Errorf("kept %v", s.kept)
	}
}

func TestAFileIsNotLeftWhileItIsWrittenTo(t *testing.T) {
	s, path := awaiting(t, "a")
	appendTo(t, path, "from one who has opened the new file\n")
	appendTo(t, path+".1", "b\nc")
	s.want("a", "b")
	if s.last.More {
		t.Error("there is more, at once")
	}
	appendTo(t, path+".1", "c\n")
	s.want("a", "b", "cc")
	s.late = time.Minute
	s.want("a", "b", "cc", "from one who has opened the new file")
}

func TestSeveralRotations(t *testing.T) {
	for name, next := range map[string]func(t *testing.T, path string, i int){
		"numbers": func(t *testing.T, path string, i int) { rotate(t, path, 9) },
		"compressed, but for the newest": func(t *testing.T, path string, i int) {
			rotate(t, path, 9)
			if _, err := os.Stat(path + ".2"); err == nil {
				compress(t, path+".2")
			}
		},
		"compressed": func(t *testing.T, path string, i int) { rotate(t, path, 9); compress(t, path+".1") },
		"bzip2": func(t *testing.T, path string, i int) {
			bzip2 := testserver.Need(t, "bzip2", "bzip2")
			must(t, os.Rename(path, path+"-2026112"+strconv.Itoa(i)))
			must(t, exec.Command(bzip2, path+"-2026112"+strconv.Itoa(i)).Run())
		},
		"dates": func(t *testing.T, path string, i int) {
			must(t, os.Rename(path, path+"-2026110"+strconv.Itoa(i)))
		},
		"dates, compressed": func(t *testing.T, path string, i int) {
			must(t, os.Rename(path, path+"-2026110"+strconv.Itoa(i)))
			compress(t, path+"-2026110"+strconv.Itoa(i))
		},
		"dates before the extension": func(t *testing.T, path string, i int) {
			must(t, os.Rename(path, filepath.Join(filepath.Dir(path), "auth-2026-11-0"+strconv.Itoa(i)+".log")))
		},
		"growing numbers": func(t *testing.T, path string, i int) {
			old := time.Now().Add(time.Duration(i-100) * time.Hour)
			must(t, os.Chtimes(path, old, old))
			must(t, os.Rename(path, path+"."+strconv.Itoa(i)))
		},
		"copies": func(t *testing.T, path string, i int) { rotate(t, path, 9); copyTruncate(t, path+".1", path) },
	} {
		t.Run(name, func(t *testing.T) {
			path := folder(t)
			s := newServer(t, path)
			s.records = 3 // so that a file takes several readings
			all := newServer(t, path)
			appendTo(t, path, text(lines(0, 10)))
			s.want(lines(0, 10)...)
			appendTo(t, path, text(lines(10, 15)))
			for i := 1; i <= 4; i++ {
				next(t, path, i)
				appendTo(t, path, text(lines(5+10*i, 15+10*i)))
			}
			s.want(lines(0, 55)...)
			s.wantNoGap()
			all.want(lines(0, 55)...) // a first reading begins with the oldest file
			if len(s.whys) != 5 || len(all.whys) != 5 {
				t.Errorf("epochs: %q and %q", s.whys, all.whys)
			}
		})
	}
}

func copyTruncate(t *testing.T, copied, path string) {
	t.Helper()
	must(t, os.Rename(copied, path))
	content, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(copied, content, 0o600))
	must(t, os.Truncate(path, 0))
}

func compress(t *testing.T, path string) {
	t.Helper()
	content, err := os.ReadFile(path)
	must(t, err)
	info, err := os.Stat(path)
	must(t, err)
	must(t, os.WriteFile(path+".gz", packed(content), 0o600))
	must(t, os.Chtimes(path+".gz", info.ModTime(), info.ModTime()))
	must(t, os.Remove(path))
}

func packed(content []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write(content)
	z.Close()
	return b.Bytes()
}

func TestCopyTruncate(t *testing.T) {
	t.Run("everything was read", func(t *testing.T) {
		path := folder(t)
		s := newServer(t, path)
		appendTo(t, path, "a\nb\n")
		s.want("a", "b")
		content, _ := os.ReadFile(path)
		must(t, os.WriteFile(path+".1", content, 0o600))
		s.want("a", "b") // the copy is there, the original still whole
		must(t, os.Truncate(path, 0))
		s.want("a", "b")
		appendTo(t, path, "c\n")
		s.want("a", "b", "c")
		s.wantNoGap()
	})
	t.Run("the file has grown beyond the cursor since", func(t *testing.T) {
		path := folder(t)
		s := newServer(t, path)
		appendTo(t, path, text(lines(0, 5)))
		s.visit()
		appendTo(t, path, text(lines(5, 6)))
		content, _ := os.ReadFile(path)
		must(t, os.WriteFile(path+".1", content, 0o600))
		must(t, os.Truncate(path, 0))
		appendTo(t, path, text(lines(6, 20)))
		s.want(lines(0, 20)...)
		s.wantNoGap()
	})
	t.Run("lines were read that the copy has not", func(t *testing.T) {
		path := folder(t)
		s := newServer(t, path)
		appendTo(t, path, text(lines(0, 50)))
		s.visit()
		content, _ := os.ReadFile(path)
		must(t, os.WriteFile(path+".1", content, 0o600))
		appendTo(t, path, text(lines(50, 52)))
		s.visit()
		must(t, os.Truncate(path, 0))
		appendTo(t, path, text(lines(52, 60)))
		s.want(lines(0, 60)...)
		s.wantNoGap()
	})
	t.Run("a copy of what is not read yet is being made", func(t *testing.T) {
		path := folder(t)
		s := newServer(t, path)
		appendTo(t, path, text(lines(0, 5)))
		s.visit()
		rotate(t, path, 3)
		must(t, os.Chtimes(path+".1", time.Now().Add(-time.Hour), time.Now().Add(-time.Hour)))
		appendTo(t, path, text(lines(5, 50)))
		rotate(t, path+".1", 0)
		must(t, os.Rename(path+".1", path+".2"))
		content, _ := os.ReadFile(path)
		must(t, os.WriteFile(path+".1", content[:len(content)/2], 0o600))
		s.late = 0
		s.want(lines(0, 5)...) // it waits
		must(t, os.WriteFile(path+".1", content, 0o600))
		must(t, os.Truncate(path, 0))
		s.late = time.Minute
		s.want(lines(0, 50)...)
		s.wantNoGap()
	})
	t.Run("a copy is being made at the first reading", func(t *testing.T) {
		path := folder(t)
		appendTo(t, path, text(lines(0, 50)))
		content, _ := os.ReadFile(path)
		must(t, os.WriteFile(path+".1", content[:len(content)/2], 0o600))
		s := newServer(t, path)
		s.late = 0
		s.want()
		must(t, os.WriteFile(path+".1", content, 0o600))
		must(t, os.Truncate(path, 0))
		appendTo(t, path, text(lines(50, 52)))
		s.late = time.Minute
		s.want(lines(0, 52)...)
	})
	t.Run("the writer does not append", func(t *testing.T) {
		path := folder(t)
		s := newServer(t, path)
		f, err := os.Create(path)
		must(t, err)
		defer f.Close()
		io.WriteString(f, text(lines(0, 2000)))
		s.visit()
		for i := range 3 { // a file that begins with NUL may be truncated again
			content, _ := os.ReadFile(path)
			must(t, os.WriteFile(path+"."+strconv.Itoa(9-i), content, 0o600))
			must(t, os.Truncate(path, 0))
			io.WriteString(f, text(lines(2000+i, 2001+i)))
			s.want(lines(0, 2001+i)...)
		}
		s.wantNoGap()
	})
}

func TestBothTheFileAndItsCompressedForm(t *testing.T) {
	path := folder(t)
	appendTo(t, path+".1", "a\nb\n")
	must(t, os.WriteFile(path+".1.gz", packed([]byte("a\n")), 0o600)) // gzip is at work
	appendTo(t, path, "c\n")
	newServer(t, path).want("a", "b", "c")
}

func TestEmptyRotatedFilesArePassedOver(t *testing.T) {
	path := folder(t)
	s := newServer(t, path)
	appendTo(t, path, "a\n")
	s.want("a")
	for range 3 {
		rotate(t, path, 9)
		appendTo(t, path, "")
		s.want("a")
	}
	compress(t, path+".3")
	compress(t, path+".2")
	appendTo(t, path, "b\n")
	s.want("a", "b")
	s.wantNoGap()
	if len(s.whys) != 2 {
		t.Errorf("epochs began: %q", s.whys)
	}
}

func TestCopyTruncateInTheMiddleOfAReading(t *testing.T) {
	for n := 1; n < 5; n++ { // it asks at least so often
		path := folder(t)
		s := newServer(t, path)
		appendTo(t, path, text(lines(0, 5)))
		s.visit()
		s.records = 5000
		appendTo(t, path, text(lines(5, 2000)))
		s.keep(s.ask(&interrupted{t.Context(), n, func() {
			content, _ := os.ReadFile(path)
			must(t, os.WriteFile(path+".1", content, 0o600))
			must(t, os.Truncate(path, 0))
			appendTo(t, path, text(lines(2000, 5000)))
		}}))
		s.want(lines(0, 5000)...)
		s.wantNoGap()
	}
}
