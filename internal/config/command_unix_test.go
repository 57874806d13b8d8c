//go:build unix

package config

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// life is a named pipe that a command and all that it begins hold open: it comes to its end when the last of them has.
type life struct {
	t      *testing.T
	path   string
	reader *os.File
	holder *os.File // keeps it open until they do
}

func newLife(t *testing.T, folder string) *life {
	t.Helper()
	l := &life{t: t, path: filepath.Join(folder, "life")}
	if err := syscall.Mkfifo(l.path, 0o600); err != nil {
		t.Fatal(err)
	}
	var err error
	if l.holder, err = os.OpenFile(l.path, os.O_RDWR, 0); err != nil {
		t.Fatal(err)
	}
	if l.reader, err = os.Open(l.path); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.reader.Close(); l.holder.Close() })
	return l
}

// begun waits until the command says that it has begun another. It is false if that has not come by a time.
func (l *life) begun(by time.Time) bool {
	l.t.Helper()
	if err := l.reader.SetReadDeadline(by); err != nil {
		l.t.Fatal(err)
	}
	line, err := bufio.NewReader(l.reader).ReadString('\n')
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return false
	}
	if line != "begun\n" || err != nil {
		l.t.Fatalf("the command says %q, %v", line, err)
	}
	return true
}

// over waits until nothing of the command runs any more.
func (l *life) over() {
	l.t.Helper()
	l.holder.Close()
	if err := l.reader.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		l.t.Fatal(err)
	}
	if rest, err := io.ReadAll(l.reader); err != nil || len(rest) > 0 {
		l.t.Errorf("something of the command is still there: %q, %v", rest, err)
	}
}

// longCommand is a command that begins another, which would run for an hour, and waits for it.
const longCommand = "exec 3>life\nsleep 3600 &\necho begun >&3\nwait\n"

func TestCommandIsKilledWithWhatItBeganWhenItIsCancelled(t *testing.T) {
	configuration, folder := script(t, longCommand)
	l := newLife(t, folder)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		_, err := LoadContext(ctx, configuration)
		ended <- err
	}()
	if !l.begun(time.Now().Add(time.Minute)) {
		t.Fatal("the command does not begin")
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	l.over()
}

// TestCommandIsKilledWithWhatItBeganAtItsDeadline gives it longer where a second was not enough to begin.
func TestCommandIsKilledWithWhatItBeganAtItsDeadline(t *testing.T) {
	for _, limit := range []string{"1s", "5s", "25s"} {
		configuration, folder := script(t, longCommand)
		document, err := os.ReadFile(configuration)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(configuration, bytes.Replace(document, []byte("20s"), []byte(limit), 1), 0o600); err != nil {
			t.Fatal(err)
		}
		l := newLife(t, folder)
		if _, err := Load(configuration); err == nil || !strings.Contains(err.Error(), "it did not end within "+limit) {
			t.Fatalf("%v", err)
		}
		if l.begun(time.Now().Add(time.Second)) { // it has been, or will never be
			l.over()
			return
		}
	}
	t.Fatal("the command does not begin")
}
