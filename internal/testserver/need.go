// Package testserver starts the real servers that tests talk to: OpenSSH's sshd, MariaDB, PostgreSQL, Exim and
// Prometheus, each on loopback, on a port of its own, with its data in a temporary folder, and stopped when its test ends.
//
// It is for tests alone. A program that is missing skips the test with the name of its Debian package, and fails it
// where CI=true: there nothing may be skipped.
package testserver

import (
	"os"
	"os/exec"
	"testing"
)

// Need returns the path of a program that a test runs. Folders that are not on every user's PATH are searched too. Where
// the program is missing the test is skipped, or fails if CI=true.
func Need(t testing.TB, program, debianPackage string) string {
	t.Helper()
	path, ok := find(program)
	if ok {
		return path
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is missing: install the Debian package %s", program, debianPackage)
	}
	t.Skipf("%s is missing: install the Debian package %s", program, debianPackage)
	return ""
}

func find(program string) (string, bool) {
	if path, err := exec.LookPath(program); err == nil {
		return path, true
	}
	for _, folder := range []string{"/usr/sbin/", "/sbin/", "/usr/local/sbin/", "/usr/lib/openssh/", "/usr/lib/systemd/"} {
		if path, err := exec.LookPath(folder + program); err == nil {
			return path, true
		}
	}
	return "", false
}

// NeedRoot skips a test that only root can make, or fails it if CI=true. What says what needs root.
func NeedRoot(t testing.TB, what string) {
	t.Helper()
	switch {
	case os.Geteuid() == 0:
	case os.Getenv("CI") == "true":
		t.Fatalf("%s needs root", what)
	default:
		t.Skipf("%s needs root", what)
	}
}
