package main

import (
	"bufio"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"muster/internal/controller"
	"muster/internal/testserver"
)

// serving is a muster serve under way, with its log.
type serving struct {
	command *exec.Cmd
	lines   chan string // closed when the process has closed its log
	ended   chan error
	reading sync.WaitGroup
}

// serve starts muster serve with the log on standard error and more in its environment. It is killed with the test, if it
// still runs.
func (f *fleet) serve(t *testing.T, environment ...string) *serving {
	t.Helper()
	command := f.command(context.Background(), "serve")
	command.Env = append(command.Env, environment...)
	return startServing(t, command)
}

// startServing starts a muster serve. It is killed with the test, if it still runs.
func startServing(t *testing.T, command *exec.Cmd) *serving {
	t.Helper()
	s := &serving{command: command, lines: make(chan string, 10_000), ended: make(chan error, 1)}
	stderr, err := command.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	s.reading.Go(func() {
		defer close(s.lines)
		for scanner := bufio.NewScanner(stderr); scanner.Scan(); {
			s.lines <- scanner.Text()
		}
	})
	go func() {
		s.reading.Wait()
		s.ended <- command.Wait()
		close(s.ended)
	}()
	t.Cleanup(func() {
		_ = command.Process.Kill()
		<-s.ended
	})
	return s
}

// waitFor reads the log until a line holds text, and returns the line.
func (s *serving) waitFor(t *testing.T, text string) string {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	var seen []string
	for {
		select {
		case line, ok := <-s.lines:
			if !ok {
				t.Fatalf("muster serve ended without %q; its log:\n%s", text, strings.Join(seen, "\n"))
			}
			if strings.Contains(line, text) {
				return line
			}
			seen = append(seen, line)
		case <-deadline.C:
			t.Fatalf("no %q in the log of muster serve:\n%s", text, strings.Join(seen, "\n"))
		}
	}
}

// hangUp sends SIGHUP.
func (s *serving) hangUp(t *testing.T) {
	t.Helper()
	if err := s.command.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
}

// stop sends SIGTERM and returns the exit status.
func (s *serving) stop(t *testing.T) int {
	t.Helper()
	if err := s.command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-s.ended:
	case <-time.After(controller.Grace + 10*time.Second):
		t.Fatal("muster serve did not end after SIGTERM")
	}
	return s.command.ProcessState.ExitCode()
}

// configureServe writes a configuration that sweeps every second and logs to standard error.
func (f *fleet) configureServe(hosts string) {
	f.t.Helper()
	f.write("muster.xml", fmt.Sprintf(`<muster xmlns="urn:muster:config:1">
  <server data="data" interval="1s"/>
  %s
  <group user="%s" key="%s" known-hosts="%s">%s</group>
</muster>
`, f.database, f.sshd.User, f.sshd.KeyFile, f.sshd.KnownHosts, hosts))
}

func TestServeOutlivesTheDatabase(t *testing.T) {
	database := testserver.MariaDB(t)
	f := newFleet(t, databaseElement(t, database))
	f.configureServe(fmt.Sprintf(`<host name="one" address="%s" port="%d"/>`, f.sshd.Address, f.sshd.Port))
	s := f.serve(t)
	s.waitFor(t, `msg="sweep ended"`)
	database.Stop(t)
	s.waitFor(t, `msg="database is not available`)
	s.waitFor(t, `msg="visit ended" host=one`) // sweeps go on
	s.waitFor(t, `msg="visit ended" host=one`)
	database.Start(t)
	s.waitFor(t, `msg="database is available again"`)
	s.waitFor(t, `msg="sweep ended"`)
	if status := s.stop(t); status != 0 {
		t.Errorf("status %d after SIGTERM, want 0", status)
	}
	for line := range s.lines {
		if strings.Contains(line, "lost") || strings.Contains(line, "not stored") {
			t.Errorf("lost: %s", line)
		}
	}
	f.want(0, "status")
}

func TestServeLeavesOutAHostWhoseVisitStillRuns(t *testing.T) {
	f := newFleet(t, "")
	// A host that hangs: a listener that accepts and is silent.
	silent := silentListener(t)
	f.configureServe(fmt.Sprintf(`<host name="one" address="%s" port="%d"/><host name="hangs" address="127.0.0.1" port="%d"/>`,
		f.sshd.Address, f.sshd.Port, silent))
	s := f.serve(t)
	s.waitFor(t, "kind=busy")
	s.waitFor(t, `msg="visit ended" host=one`) // the others are not delayed
	s.waitFor(t, `msg="visit ended" host=one`)
	begin := time.Now()
	if status := s.stop(t); status != 0 {
		t.Errorf("status %d after SIGTERM, want 0", status)
	}
	t.Logf("ended %v after SIGTERM, with a visit under way", time.Since(begin))
}
