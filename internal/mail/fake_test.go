package mail_test

import (
	"bufio"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"muster/internal/mail"
)

// forward passes connections from a free port of one loopback address on to another.
func forward(t *testing.T, from, host string, port int) int {
	t.Helper()
	return listen(t, from, func(conn net.Conn) {
		target, err := net.Dial("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
		if err != nil {
			return
		}
		defer target.Close()
		var one sync.WaitGroup
		one.Go(func() {
			_, _ = io.Copy(target, conn)
			_ = target.Close()
		})
		_, _ = io.Copy(conn, target)
		_ = conn.Close()
		one.Wait()
	})
}

// listen serves each connection by a function until the test ends, and returns the port.
func listen(t *testing.T, host string, serve func(net.Conn)) int {
	t.Helper()
	listener, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Skipf("%s is not an address of this machine: %v", host, err)
	}
	var running sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, conn)
			mu.Unlock()
			running.Go(func() {
				defer conn.Close()
				serve(conn)
			})
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		mu.Lock()
		for _, conn := range open {
			_ = conn.Close()
		}
		mu.Unlock()
		running.Wait()
	})
	return listener.Addr().(*net.TCPAddr).Port
}

// A script is a mail server that answers each command by its line or its verb. What has no answer gets silence.
type script map[string]string

// ordinary is a server that takes everything.
func ordinary() script {
	return script{
		"greeting": "220 hello", "EHLO": "250-x\r\n250 8BITMIME", "MAIL": "250 ok", "RCPT": "250 ok", "DATA": "354 go",
		".": "250 taken", "RSET": "250 ok", "NOOP": "250 ok", "QUIT": "221 bye", "*": "501 cancelled",
	}
}

func (s script) but(verb, answer string) script {
	s[verb] = answer
	return s
}

func (s script) without(verb string) script {
	delete(s, verb)
	return s
}

// serve plays the script; it tells heard of every line it gets.
func (s script) serve(heard func(string)) func(net.Conn) {
	return func(conn net.Conn) {
		answer := func(verb string) bool {
			text, known := s[verb]
			if !known {
				_, _ = io.Copy(io.Discard, conn) // until the other side gives up
				return false
			}
			if text == "close" {
				return false
			}
			_, err := io.WriteString(conn, text+"\r\n")
			return err == nil
		}
		if !answer("greeting") {
			return
		}
		lines := bufio.NewScanner(conn)
		content := false
		for lines.Scan() {
			line := lines.Text()
			heard(line)
			verb, _, _ := strings.Cut(line, " ")
			if content && line != "." {
				continue
			}
			if _, known := s[line]; known {
				verb = line
			}
			if !answer(verb) {
				return
			}
			content = verb == "DATA" && strings.HasPrefix(s["DATA"], "354")
		}
	}
}

// heard collects what a server was told.
type heard struct {
	mu    sync.Mutex
	lines []string
}

func (h *heard) add(line string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lines = append(h.lines, line)
}

func (h *heard) count(prefix string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := 0
	for _, line := range h.lines {
		if strings.HasPrefix(line, prefix) {
			n++
		}
	}
	return n
}

func fake(t *testing.T, s script) (mail.Server, *heard) {
	t.Helper()
	h := &heard{}
	settings := good()
	settings.Port = listen(t, "127.0.0.1", s.serve(h.add))
	settings.Timeout = time.Minute
	return settings, h
}
