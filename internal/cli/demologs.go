package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"muster/internal/report"
)

// demoStranger is where those come from who try to log in to the hosts of the demo: an address that is nobody's (RFC 5737).
const demoStranger = "203.0.113.77"

// demoLine is a line of a host's log, written so long before now.
type demoLine struct {
	ago     time.Duration
	program string
	text    string
}

// LogPast writes what the hosts have in their logs when they are visited first: an ordinary hour.
func (f *demoFleet) LogPast(now time.Time) error {
	var errs []error
	for i, h := range f.hosts {
		lines := []demoLine{
			{50 * time.Minute, "CRON[902]", "pam_unix(cron:session): session opened for user root(uid=0) by root(uid=0)"},
			{50*time.Minute - time.Second, "CRON[902]", "pam_unix(cron:session): session closed for user root"},
		}
		if i == 0 {
			lines = append(lines, demoLine{
				31 * time.Minute, "sshd[1204]",
				"Failed password for alice from 192.0.2.14 port 50122 ssh2",
			})
		}
		lines = append(lines, demoLine{
			time.Duration(30-i) * time.Minute, "sshd[1204]",
			"Accepted publickey for alice from 192.0.2.14 port 50122 ssh2: ED25519 SHA256:6WxqLCLQ2Xr5TJvYpYgm0bW3mNnD1yPpUu4hJrRz1dE",
		})
		errs = append(errs, h.log(now, lines))
	}
	return errors.Join(errs...)
}

// LogAttack writes what happens between the two sweeps: somebody tries names and passwords on every host, and on the first of
// the last group an account is made.
func (f *demoFleet) LogAttack(now time.Time) error {
	var errs []error
	for i, h := range f.hosts {
		var lines []demoLine
		names := []string{"root"}
		if i == 0 {
			names = []string{"invalid user admin", "invalid user oracle", "invalid user test", "root"}
		}
		for j, name := range names {
			lines = append(lines, demoLine{
				time.Duration(len(names)-j) * time.Second, fmt.Sprintf("sshd[%d]", 2310+j),
				fmt.Sprintf("Failed password for %s from %s port %d ssh2", name, demoStranger, 41022+2*j),
			})
		}
		if i == f.web() {
			lines = append(lines, demoLine{
				0, "useradd[2377]",
				"new user: name=backup2, UID=1004, GID=1004, home=/home/backup2, shell=/bin/sh, from=/dev/pts/0",
			})
		}
		errs = append(errs, h.log(now, lines))
	}
	return errors.Join(errs...)
}

// web returns how many hosts are in the first group.
func (f *demoFleet) web() int { return (len(f.hosts) + 1) / 2 }

// channel is the channel of a host's log.
func (h demoHost) channel() string { return report.FileChannel + h.logFile() }

func (h demoHost) logFile() string { return filepath.Join(h.home, "auth.log") }

// log appends lines to the host's log, in the form that rsyslog gives them.
func (h demoHost) log(now time.Time, lines []demoLine) error {
	var b strings.Builder
	for _, l := range lines {
		at := now.Add(-l.ago).Format("2006-01-02T15:04:05.000000-07:00")
		fmt.Fprintf(&b, "%s %s %s: %s\n", at, h.name, l.program, l.text)
	}
	file, err := os.OpenFile(h.logFile(), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	_, err = io.WriteString(file, b.String())
	return errors.Join(err, file.Close())
}
