package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// gated is a port in front of an sshd that hands nothing on until it is opened.
type gated struct {
	port     int
	accepted chan struct{} // gets a token for each connection
	open     func()
}

func newGated(t *testing.T, address string) *gated {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gate := make(chan struct{})
	g := &gated{port: l.Addr().(*net.TCPAddr).Port, accepted: make(chan struct{}, 1000), open: sync.OnceFunc(func() { close(gate) })}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			g.accepted <- struct{}{}
			serving.Go(func() {
				defer conn.Close()
				<-gate
				behind, err := net.Dial("tcp", address)
				if err != nil {
					return
				}
				defer behind.Close()
				serving.Go(func() {
					_, _ = io.Copy(behind, conn)
					_ = behind.Close()
				})
				_, _ = io.Copy(conn, behind)
			})
		}
	})
	t.Cleanup(func() {
		g.open()
		_ = l.Close()
		serving.Wait()
	})
	return g
}

// element returns the host behind the gate.
func (g *gated) element(f *fleet, name string) string {
	known, err := os.ReadFile(f.sshd.KnownHosts)
	if err != nil {
		f.t.Fatal(err)
	}
	f.write("gated", strings.ReplaceAll(string(known), fmt.Sprintf("[127.0.0.1]:%d", f.sshd.Port), fmt.Sprintf("[127.0.0.1]:%d", g.port)))
	return fmt.Sprintf(`<host name="%s" address="127.0.0.1" port="%d" known-hosts="gated"><timeouts handshake="2m"/></host>`, name, g.port)
}

// descriptors returns how many files a server has open.
func (s *serving) descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join("/proc", strconv.Itoa(s.command.Process.Pid), "fd"))
	if err != nil {
		t.Skip("descriptors can't be counted here:", err)
	}
	return len(entries)
}

// TestReloadDisturbsNobody has a server reload good and bad configurations while a slow visit is under way.
func TestReloadDisturbsNobody(t *testing.T) {
	f := newFleet(t, "")
	g := newGated(t, fmt.Sprintf("%s:%d", f.sshd.Address, f.sshd.Port))
	at := fmt.Sprintf(`address="%s" port="%d"`, f.sshd.Address, f.sshd.Port)
	one, slow := `<host name="one" `+at+`/>`, g.element(f, "slow")
	f.configureServe(one + slow)
	s := f.serve(t)
	<-g.accepted
	s.waitFor(t, `msg="visit ended" host=one`)
	begun := s.waitFor(t, `kind=busy`) // the visit to slow goes on
	if !strings.Contains(begun, "host=slow") {
		t.Fatalf("busy is another: %s", begun)
	}

	// A mistake is told by whoever asks, and changes nothing.
	f.configureServe(one + `<hots/>`)
	if r := f.want(2, "reload"); !strings.Contains(r.stderr, "hots") {
		t.Errorf("it does not say what is wrong: %s", r.stderr)
	}
	s.hangUp(t)
	if line := s.waitFor(t, "is refused"); !strings.Contains(line, "hots") {
		t.Errorf("the log does not say what is wrong: %s", line)
	}
	s.waitFor(t, `msg="visit ended" host=one`)

	// A host comes, and another has changed: slow is as it was.
	f.configureServe(one + slow + `<host name="two" ` + at + `/>`)
	if r := f.want(1, "status"); !strings.Contains(r.stdout, "is refused") || !strings.Contains(r.stdout, "next sweep: at ") {
		t.Errorf("status does not say that the configuration is refused:\n%s", r.stdout)
	}
	if r := f.want(0, "reload"); !strings.Contains(r.stdout, "3 hosts: 1 added, 0 removed, 0 changed") {
		t.Errorf("it says %s", r.stdout)
	}
	s.waitFor(t, `msg="visit ended" host=two`)
	f.configureServe(slow + `<host name="two" ` + at + ` transfer="file"/>`)
	s.hangUp(t)
	if line := s.waitFor(t, "is reloaded"); !strings.Contains(line, "added=0 removed=1 changed=1") {
		t.Errorf("logged: %s", line)
	}
	s.waitFor(t, `msg="visit ended" host=two`)

	g.open()
	line := s.waitFor(t, `msg="visit ended" host=slow`) // the same visit: no other could have begun
	if n := len(g.accepted); n > 1 {
		t.Errorf("%d more visits to slow began while the first was under way", n)
	}
	if sweep := field(line, "sweep"); sweep >= field(begun, "sweep") {
		t.Errorf("the visit that ended is of %s, and an earlier one was under way at %s", sweep, field(begun, "sweep"))
	}

	for range 5 {
		s.hangUp(t)
		s.waitFor(t, "is reloaded")
	}
	before := s.descriptors(t)
	for range 50 {
		s.hangUp(t)
		s.waitFor(t, "is reloaded")
	}
	if after := s.descriptors(t); after > before+6 { // connections of visits come and go
		t.Errorf("%d files are open after 50 reloads, %d before", after, before)
	}
	if status := s.stop(t); status != 0 {
		t.Errorf("status %d after SIGTERM", status)
	}
	if r := f.muster("reload"); r.status != 3 || !strings.Contains(r.stderr, "no server runs") {
		t.Errorf("status %d: %s", r.status, r.stderr)
	}
}

// field returns the value of a key in a line of the log.
func field(line, key string) string {
	_, value, _ := strings.Cut(line, key+"=")
	value, _, _ = strings.Cut(value, " ")
	return value
}

// TestLogFileIsReopened moves the log away, as logrotate does.
func TestLogFileIsReopened(t *testing.T) {
	f := newFleet(t, "")
	configure := func(server string) {
		f.write("muster.xml", fmt.Sprintf(`<muster xmlns="urn:muster:config:1"><server data="data" interval="1h" %s/>
<group user="%s" key="%s" known-hosts="%s"><host address="%s" port="%d"/></group></muster>`,
			server, f.sshd.User, f.sshd.KeyFile, f.sshd.KnownHosts, f.sshd.Address, f.sshd.Port))
	}
	configure(`log-file="muster.log"`)
	m := newManager(t)
	s := f.serve(t, "NOTIFY_SOCKET="+m.name)
	m.waitFor("READY=1")
	reload := func(until string) {
		t.Helper()
		s.hangUp(t)
		m.waitFor("RELOADING=1")
		m.waitFor(until)
	}
	if err := os.Rename(f.path("muster.log"), f.path("muster.log.1")); err != nil {
		t.Fatal(err)
	}
	has := func(name, text string, want bool) {
		t.Helper()
		log, err := os.ReadFile(f.path(name))
		if err != nil || strings.Contains(string(log), text) != want {
			t.Errorf("%s: has %q: %v, want %v; %v:\n%s", name, text, !want, want, err, log)
		}
	}
	reload("READY=1")
	has("muster.log.1", "is reloaded", false)
	has("muster.log", "is reloaded", true)

	// Another file, another level; and one that can't be opened.
	configure(`log-file="other.log" log-level="warn"`)
	reload("READY=1")
	configure(`log-file="nowhere/muster.log"`)
	reload("READY=1")
	has("other.log", "nowhere/muster.log", true)
	has("other.log", "is reloaded", false)
	configure(`log-file="other.log" log-format="json" parallel="7"`)
	reload("READY=1")
	has("other.log", `part="<server log-format>"`, true)
	if status := s.stop(t); status != 0 {
		t.Errorf("status %d", status)
	}
}

// TestServeGoesOnWithTheSchedule starts a server twice within an interval.
func TestServeGoesOnWithTheSchedule(t *testing.T) {
	f := newFleet(t, "")
	f.configureServe(fmt.Sprintf(`<host name="one" address="%s" port="%d"/>`, f.sshd.Address, f.sshd.Port))
	text, err := os.ReadFile(f.path("muster.xml"))
	if err != nil {
		t.Fatal(err)
	}
	f.write("muster.xml", strings.Replace(string(text), `interval="1s"`, `interval="1h" spread="0s"`, 1))
	s := f.serve(t)
	s.waitFor(t, `msg="sweep ended"`)
	if status := s.stop(t); status != 0 {
		t.Errorf("status %d", status)
	}
	s = f.serve(t)
	line := s.waitFor(t, "the next begins when it is due")
	next, err := time.Parse(time.RFC3339, field(line, "next"))
	if wait := time.Until(next); err != nil || wait < 50*time.Minute || wait > time.Hour {
		t.Errorf("the next sweep is due in %v, %v: %s", wait, err, line)
	}
	r := f.want(0, "status")
	if !strings.Contains(r.stdout, "next sweep: at "+next.Local().Format(time.DateTime)) {
		t.Errorf("status does not say when the next sweep is, %s:\n%s", next, r.stdout)
	}
	if status := s.stop(t); status != 0 {
		t.Errorf("status %d", status)
	}
	for line := range s.lines {
		if strings.Contains(line, "sweep started") {
			t.Errorf("it made a sweep: %s", line)
		}
	}
}

// TestServeLeavesAHostAlone has a host that fails, and status that says when it is tried next.
func TestServeLeavesAHostAlone(t *testing.T) {
	f := newFleet(t, "")
	f.configureServe(`<host name="dead" address="127.0.0.1" port="1"/>` +
		fmt.Sprintf(`<host name="one" address="%s" port="%d"/>`, f.sshd.Address, f.sshd.Port))
	s := f.serve(t)
	line := s.waitFor(t, "kind=backoff")
	if !strings.Contains(line, "host=dead") || !strings.Contains(line, "visit skipped") {
		t.Errorf("logged: %s", line)
	}
	s.waitFor(t, `msg="visit ended" host=one`)
	for {
		r := f.want(1, "status")
		if strings.Contains(r.stdout, "dead: left alone for a while after ") && strings.Contains(r.stdout, "next attempt at ") {
			break
		}
		s.waitFor(t, "kind=backoff") // between two of them it is tried
	}
	if r := f.want(0, "reload"); !strings.Contains(r.stdout, "1 host that failed will be visited") && !strings.Contains(r.stdout, "reloaded: 2 hosts") {
		t.Errorf("it says %s", r.stdout)
	}
	s.waitFor(t, `msg="visit failed" host=dead`)
	if status := s.stop(t); status != 0 {
		t.Errorf("status %d", status)
	}
}
