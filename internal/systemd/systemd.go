// Package systemd tells systemd how the server does, where systemd has started it as a service of Type=notify: ready,
// reloading, stopping, a line of status, and that it is alive.
//
// It speaks the protocol of sd_notify(3), datagrams with lines of NAME=value to the socket that the environment names, a
// path or a name in Linux's abstract space. Where the environment names none, there is nobody to tell and every method
// does nothing. What can't be said within a second is given up, and logged at the level debug: no service is worse for a
// manager that does not listen.
//
// A Notifier is safe for concurrent use. It keeps no socket open.
package systemd

import (
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// The environment of a service: sd_notify(3), sd_watchdog_enabled(3).
const (
	socketVariable   = "NOTIFY_SOCKET"
	watchdogVariable = "WATCHDOG_USEC"
	processVariable  = "WATCHDOG_PID"
)

const (
	patience  = time.Second // for the socket to take a datagram
	maxStatus = 1000        // bytes
)

// Notifier tells the manager that has started this process.
type Notifier struct {
	socket string        // empty: nobody listens
	within time.Duration // 0: nobody watches
	log    *slog.Logger
}

// FromEnvironment returns a notifier for whom the environment names, and takes it out of the environment, so that programs
// that this process starts do not speak for it.
func FromEnvironment(log *slog.Logger) *Notifier {
	n := &Notifier{socket: os.Getenv(socketVariable), log: log}
	microseconds, err := strconv.ParseInt(os.Getenv(watchdogVariable), 10, 64)
	process := os.Getenv(processVariable)
	if err == nil && microseconds > 0 && (process == "" || process == strconv.Itoa(os.Getpid())) {
		n.within = time.Duration(min(microseconds, int64(24*time.Hour/time.Microsecond))) * time.Microsecond
	}
	for _, name := range []string{socketVariable, watchdogVariable, processVariable} {
		_ = os.Unsetenv(name)
	}
	return n
}

// Ready says that the service serves, for the first time or after Reloading, and how it is.
func (n *Notifier) Ready(status string) { n.tell("READY=1", statusLine(status)) }

// Reloading says that the service reads its configuration anew. Ready follows.
func (n *Notifier) Reloading() {
	lines := []string{"RELOADING=1"}
	if now, ok := monotonic(); ok {
		lines = append(lines, "MONOTONIC_USEC="+strconv.FormatInt(now.Microseconds(), 10))
	}
	n.tell(lines...)
}

// Stopping says that the service ends.
func (n *Notifier) Stopping() {
	n.tell("STOPPING=1", statusLine("stopping: visits under way are cancelled"))
}

// Status says in a line how the service is.
func (n *Notifier) Status(status string) { n.tell(statusLine(status)) }

// Alive says that the service is well. It is to be said within Within, or systemd takes it for hung.
func (n *Notifier) Alive() { n.tell("WATCHDOG=1") }

// Within returns how often Alive is to be said, at the least; 0: nobody asks.
func (n *Notifier) Within() time.Duration {
	if n.socket == "" {
		return 0
	}
	return n.within
}

// statusLine makes one bounded line of a status.
func statusLine(status string) string {
	status = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, status)
	if len(status) > maxStatus {
		status = status[:maxStatus] + " …"
	}
	return "STATUS=" + strings.ToValidUTF8(status, "\uFFFD")
}

func (n *Notifier) tell(lines ...string) {
	if n.socket == "" {
		return
	}
	if err := send(n.socket, strings.Join(lines, "\n")); err != nil {
		n.log.Debug("systemd is not told how the server does", "what", lines[0], "err", err)
	}
}

// send sends one datagram. A name that begins with @ is one of the abstract space.
func send(socket, text string) error {
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	_, err = conn.Write([]byte(text))
	return err
}
