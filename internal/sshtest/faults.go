package sshtest

import (
	"context"
	"io"
	"net"
	"slices"
	"strings"
	"sync/atomic"
)

// Refuse returns an Options.Refuse that refuses the named requests: "session", "exec", "sftp".
func Refuse(requests ...string) func(string) bool {
	return func(request string) bool { return slices.Contains(requests, request) }
}

// Silent is an Options.Accept: the connection is accepted and nothing is ever said on it.
func Silent(conn net.Conn) net.Conn {
	_, _ = io.Copy(io.Discard, conn)
	return nil
}

// Say returns an Options.Accept that says something other than SSH and hangs up.
func Say(text string) func(net.Conn) net.Conn {
	return func(conn net.Conn) net.Conn {
		_, _ = io.WriteString(conn, text)
		return nil
	}
}

// Babble returns an Options.Accept that says the same thing again and again for as long as anybody listens. The text must
// not be empty.
func Babble(text string) func(net.Conn) net.Conn {
	much := []byte(strings.Repeat(text, 1+4096/len(text)))
	return func(conn net.Conn) net.Conn {
		for {
			if _, err := conn.Write(much); err != nil {
				return nil
			}
		}
	}
}

// StallAfter returns an Options.Accept after which a server falls silent for good once it has sent so many bytes: in the
// key exchange (after some hundred), in the login (after some 1,500), or later.
func StallAfter(bytes int) func(net.Conn) net.Conn {
	return func(conn net.Conn) net.Conn { return limited(conn, bytes, false) }
}

// CutAfter returns an Options.Accept that breaks off the connection once the server has sent so many bytes.
func CutAfter(bytes int) func(net.Conn) net.Conn {
	return func(conn net.Conn) net.Conn { return limited(conn, bytes, true) }
}

func limited(conn net.Conn, bytes int, cut bool) net.Conn {
	l := &limitedConn{Conn: conn, cut: cut}
	l.left.Store(int64(bytes))
	return l
}

// limitedConn is a connection whose sending ends after a number of bytes.
type limitedConn struct {
	net.Conn
	cut  bool
	left atomic.Int64
}

func (l *limitedConn) Write(data []byte) (int, error) {
	left := l.left.Add(-int64(len(data)))
	if left >= 0 {
		return l.Conn.Write(data)
	}
	if allowed := left + int64(len(data)); allowed > 0 {
		_, _ = l.Conn.Write(data[:allowed])
	}
	if l.cut {
		_ = l.Conn.Close()
		return 0, net.ErrClosed
	}
	return len(data), nil // it is on its way, for all that the server knows
}

// Hang is a Handler that reads nothing, says nothing and does not end before the client goes.
func Hang(ctx context.Context, _ *Session) Exit {
	<-ctx.Done()
	return Exit{Silent: true}
}

// Answer returns a Handler that prints a text and ends with a status.
func Answer(text string, status uint32) Handler {
	return func(_ context.Context, s *Session) Exit {
		_, _ = io.WriteString(s.Stdout, text)
		return Exit{Status: status}
	}
}
