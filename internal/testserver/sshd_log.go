package testserver

import (
	"bytes"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// sshdLog is a pipe into which an SSH server logs, and what has come through it.
type sshdLog struct {
	sign      string        // that it listens
	listening chan struct{} // closed when it has said so

	reader, writer *os.File
	marking        sync.Mutex
	marks          chan struct{} // gets a token for each mark that has come through the pipe
	ended          chan struct{} // closed when nothing is read any more

	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{} // closed and replaced when there is more text
}

// mark is a byte that no server logs.
const mark = 0

// newSSHDLog makes a log that is read until it is closed.
func newSSHDLog(sign string) (*sshdLog, error) {
	reader, writer, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	l := &sshdLog{
		sign: sign, listening: make(chan struct{}), reader: reader, writer: writer,
		marks: make(chan struct{}, 1), ended: make(chan struct{}), changed: make(chan struct{}),
	}
	go l.read()
	return l, nil
}

func (l *sshdLog) read() {
	defer close(l.ended)
	buffer := make([]byte, 32<<10)
	said := false
	for {
		n, err := l.reader.Read(buffer)
		if err != nil {
			return
		}
		marks := bytes.Count(buffer[:n], []byte{mark})
		l.mu.Lock()
		l.text.Write(bytes.ReplaceAll(buffer[:n], []byte{mark}, nil))
		if !said && bytes.Contains(l.text.Bytes(), []byte(l.sign)) {
			said = true
			close(l.listening)
		}
		close(l.changed)
		l.changed = make(chan struct{})
		l.mu.Unlock()
		for range marks {
			l.marks <- struct{}{}
		}
	}
}

// String returns all that was logged before it was called.
func (l *sshdLog) String() string {
	text, _ := l.current()
	return text
}

// current is String, and what is closed when there is more.
func (l *sshdLog) current() (text string, changed <-chan struct{}) {
	l.catchUp()
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String(), l.changed
}

// catchUp returns when all that was written into the pipe has come out of it: a mark that follows it has.
func (l *sshdLog) catchUp() {
	l.marking.Lock()
	defer l.marking.Unlock()
	if _, err := l.writer.Write([]byte{mark}); err == nil {
		<-l.marks
	}
}

// close ends the log of a server that has ended. Sessions of it may go on and hold the pipe open: what they say is lost.
func (l *sshdLog) close() {
	l.catchUp()
	l.marking.Lock()
	defer l.marking.Unlock()
	_ = l.writer.Close()
	_ = l.reader.Close()
	<-l.ended
}

// Log returns what sshd has logged since its last start, at the level VERBOSE. It may log what became of a login a moment
// after it has told the client: see AwaitLog.
func (s *Sshd) Log() string {
	s.mu.Lock()
	log := s.log
	s.mu.Unlock()
	if log == nil {
		return ""
	}
	return log.String()
}

// AwaitLog waits until sshd has logged a text since its last start, and returns its log.
func (s *Sshd) AwaitLog(t testing.TB, text string) string {
	t.Helper()
	s.mu.Lock()
	log := s.log
	s.mu.Unlock()
	patience := time.NewTimer(sshdStart)
	defer patience.Stop()
	for {
		all, changed := log.current()
		if strings.Contains(all, text) {
			return all
		}
		select {
		case <-changed:
		case <-patience.C:
			t.Fatalf("the log of the SSH server lacks %q:\n%s", text, all)
		}
	}
}
