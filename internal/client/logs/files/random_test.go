package files_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"muster/internal/testserver"
)

// Whatever a writer, a rotation and a reader do in whatever order, and however often the server crashes between keeping
// records and keeping its cursor: every line comes once, in order, and under one id.
func TestRandomHistories(t *testing.T) {
	for seed := range uint64(80) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			path := folder(t)
			s := newServer(t, path)
			s.records = 1 + random.IntN(20)
			s.crash = func() bool { return chance(random, 20) }
			copies := chance(random, 30) // copytruncate, and then lines have their ends when it comes
			n := 0
			var pending string
			write := func() {
				for range random.IntN(8) {
					pending += line(n) + "\n"
					n++
				}
				out := pending
				if !copies && chance(random, 30) {
					out = pending[:random.IntN(len(pending)+1)]
				}
				appendTo(t, path, out)
				pending = pending[len(out):]
			}
			write()
			s.part()
			for range 60 {
				switch random.IntN(6) {
				case 0, 1:
					write()
				case 2, 3:
					s.part()
				case 4:
					s.visit()
				case 5:
					appendTo(t, path, pending) // a line never goes on in the next file
					pending = ""
					rotate(t, path, 30)
					if copies {
						copyTruncate(t, path+".1", path)
					}
					if _, err := os.Stat(path + ".2"); err == nil && chance(random, 50) {
						compress(t, path+".2")
					}
					if chance(random, 50) {
						write()
					}
				}
			}
			appendTo(t, path, pending+line(n)+"\n")
			s.crash = nil
			s.want(lines(0, n+1)...)
			s.wantNoGap()
		})
	}
}

// writer writes lines to a file and never waits. As daemons do, it opens the file anew when it is told to.
type writer struct {
	path   string
	reopen chan chan error
	done   chan error
}

func startWriter(path string, n int) *writer {
	w := &writer{path: path, reopen: make(chan chan error), done: make(chan error, 1)}
	go func() { w.done <- w.write(n) }()
	return w
}

func (w *writer) write(n int) error {
	f, err := w.open()
	if err != nil {
		return err
	}
	defer func() { f.Close() }()
	var b strings.Builder
	for i := 0; i < n; {
		select {
		case answer := <-w.reopen:
			f.Close()
			if f, err = w.open(); err != nil {
				return err
			}
			answer <- nil
		default:
		}
		b.Reset()
		for range 1 + i%7 {
			if i < n {
				b.WriteString(line(i))
				b.WriteByte('\n')
				i++
			}
		}
		// In two pieces: a reader must not take a part of a line for the line.
		text := b.String()
		for _, piece := range []string{text[:len(text)/2], text[len(text)/2:]} {
			if _, err := f.WriteString(piece); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *writer) open() (*os.File, error) {
	return os.OpenFile(w.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
}

// hang up makes the writer open the file anew, unless it has ended.
func (w *writer) hangUp() (running bool, err error) {
	answer := make(chan error)
	select {
	case w.reopen <- answer:
		return true, <-answer
	case err := <-w.done:
		w.done <- err
		return false, err
	}
}

func TestRotationUnderAWriterThatNeverStops(t *testing.T) {
	const n = 100_000
	path := folder(t)
	s := newServer(t, path)
	s.records = 5000
	random := rand.New(rand.NewPCG(1, 1))
	s.crash = func() bool { return chance(random, 10) }
	appendTo(t, path, "")
	w := startWriter(path, n)
	var rotating sync.WaitGroup
	rotations := 0
	rotating.Go(func() {
		for {
			rotate(t, path, 1000)
			if rotations%3 == 2 {
				compress(t, path+".2")
			}
			rotations++
			running, err := w.hangUp()
			if err != nil {
				t.Error(err)
			}
			if !running {
				return
			}
			for info, err := os.Stat(path); err != nil || info.Size() < 50_000; info, err = os.Stat(path) {
				select {
				case err := <-w.done:
					w.done <- err
					return
				default:
				}
			}
		}
	})
	ended := make(chan struct{})
	go func() { rotating.Wait(); close(ended) }()
	for reading := true; reading; {
		select {
		case <-ended:
			reading = false
		default:
		}
		s.part()
		if s.last.Trouble != nil {
			t.Errorf("trouble: %+v", *s.last.Trouble)
		}
	}
	s.crash = nil
	appendTo(t, path, line(n)+"\n")
	s.want(lines(0, n+1)...)
	s.wantNoGap()
	t.Logf("%d rotations", rotations)
}

// The rotation that most hosts have, with the settings that most hosts have.
func TestLogrotate(t *testing.T) {
	logrotate := testserver.Need(t, "logrotate", "logrotate")
	for name, settings := range map[string]string{
		"rename":        "create\n",
		"compress":      "create\ncompress\n",
		"delaycompress": "compress\ndelaycompress\n",
		"extension":     "extension .log\ncompress\ndelaycompress\n",
		"copytruncate":  "copytruncate\n",
	} {
		t.Run(name, func(t *testing.T) {
			path := folder(t)
			config := filepath.Join(filepath.Dir(path), "config")
			must(t, os.WriteFile(config, []byte(path+" {\nrotate 20\nsize 1\nmissingok\n"+settings+"}\n"), 0o600))
			s := newServer(t, path)
			n := 0
			for round := range 6 {
				appendTo(t, path, text(lines(n, n+10)))
				n += 10
				if round%2 == 0 {
					s.visit()
				}
				appendTo(t, path, text(lines(n, n+5)))
				n += 5
				out, err := exec.Command(logrotate, "-f", "-s", config+".state", config).CombinedOutput()
				if err != nil {
					t.Fatalf("%v: %s", err, out)
				}
			}
			appendTo(t, path, text(lines(n, n+1)))
			s.want(lines(0, n+1)...)
			s.wantNoGap()
		})
	}
}

func BenchmarkRead(b *testing.B) {
	path := folder(b)
	var all strings.Builder
	const n = 100_000
	for i := range n {
		fmt.Fprintf(&all, "2026-11-23T17:01:02.123456+00:00 web1 sshd[%d]: Failed password for invalid user admin from 203.0.113.9 port %d ssh2\n", i, i)
	}
	appendTo(b, path, all.String())
	b.ReportAllocs()
	began := time.Now()
	for b.Loop() {
		s := newServer(b, path)
		s.request.Raw = false
		s.records, s.bytes = 5000, 3<<20
		for more, got := true, 0; more; {
			s.request.Fresh = s.request.Cursor.Epoch + 1
			answer := s.ask(b.Context())
			s.request.Cursor, more = answer.Next, answer.More
			if got += len(answer.Records); !more && got != n {
				b.Fatalf("%d records", got)
			}
		}
	}
	b.ReportMetric(float64(n*b.N)/time.Since(began).Seconds(), "lines/s")
}

// What most visits do: nothing was written.
func BenchmarkNothingNew(b *testing.B) {
	path := folder(b)
	appendTo(b, path, text(lines(0, 1000)))
	s := newServer(b, path)
	s.visit()
	b.ReportAllocs()
	for b.Loop() {
		s.ask(b.Context())
	}
}
