package main

import (
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"muster/internal/sshtest"
	"muster/internal/testserver"
)

// passwordFleet writes a configuration of one host with a password.
func (p *place) passwordFleet(s *testserver.Sshd, password string) {
	p.t.Helper()
	p.write("muster.xml", fmt.Sprintf(`<muster xmlns="urn:muster:config:1">
  <server data="data" interval="1s"/>
  <host name="one" address="%s" port="%d" user="%s" password="%s" known-hosts="%s"/>
</muster>
`, s.Address, s.Port, s.User, password, s.KnownHosts))
}

// TestAWrongPasswordIsSentOnce counts on sshd's side, over runs as cron makes them, and over the sweeps of a server.
func TestAWrongPasswordIsSentOnce(t *testing.T) {
	sshd := testserver.SSHD(t, testserver.SSHDOptions{})
	sshd.NeedPassword(t)
	p := newPlace(t)
	p.passwordFleet(sshd, "a wrong one")
	refused := func(want int) {
		t.Helper()
		got := -1 // the log comes through a pipe
		for end := time.Now().Add(patience); got < want && time.Now().Before(end); runtime.Gosched() {
			got = strings.Count(sshd.Log(), "Failed password")
		}
		if got != want {
			t.Fatalf("sshd saw %d wrong passwords, want %d", got, want)
		}
	}
	for i := range 3 {
		r := p.muster("run")
		if r.status != 1 || !strings.Contains(r.stdout, "muster login retry") {
			t.Fatalf("run %d: %+v", i, r)
		}
	}
	refused(1)
	if r := p.muster("login", "retry", "one"); r.status != 0 || !strings.Contains(r.stdout, "sent again to: one") {
		t.Fatalf("%+v", r)
	}
	if r := p.muster("login", "retry", "--json"); r.status != 0 || !strings.Contains(r.stdout, `"hosts": []`) {
		t.Fatalf("%+v", r)
	}
	if r := p.muster("login", "retry", "two"); r.status != 2 || !strings.Contains(r.stderr, `"two"`) {
		t.Fatalf("%+v", r)
	}
	p.muster("run")
	p.muster("run")
	refused(2)

	f := &fleet{place: p, sshd: sshd}
	s := f.serve(t)
	for range 3 {
		s.waitFor(t, `kind=password-refused`)
		s.waitFor(t, `msg="sweep ended"`)
	}
	refused(2)
	if r := p.muster("login", "retry"); r.status != 0 || !strings.Contains(r.stdout, "sent again to: one") {
		t.Fatalf("%+v", r)
	}
	for range 3 {
		s.waitFor(t, `msg="sweep ended"`)
	}
	refused(3)
	s.stop(t)

	p.passwordFleet(sshd, sshd.Password)
	if r := p.muster("run"); r.status != 0 {
		t.Fatalf("with the right password: %+v", r)
	}
	refused(3)
}

// TestAWrongPasswordOfManyHosts counts how often the password of a domain's account is sent, which no host accepts.
func TestAWrongPasswordOfManyHosts(t *testing.T) {
	var sent atomic.Int32
	var hosts, known strings.Builder
	for i := range 30 {
		server, err := sshtest.New(sshtest.Options{Home: t.TempDir(), Password: "the right one", Configure: func(c *ssh.ServerConfig) {
			c.AuthLogCallback = func(_ ssh.ConnMetadata, method string, _ error) {
				if method == "password" {
					sent.Add(1)
				}
			}
		}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = server.Close() })
		fmt.Fprintf(&hosts, `<host name="h%d" address="127.0.0.1" port="%d"/>`+"\n", i, server.Addr().Port)
		known.WriteString(server.KnownHostsLine())
	}
	p := newPlace(t)
	p.write("known_hosts", known.String())
	configure := func(password string) {
		p.write("muster.xml", fmt.Sprintf(`<muster xmlns="urn:muster:config:1">
  <server data="data"/>
  <group user="monitor" password="%s" known-hosts="known_hosts">
%s</group>
</muster>
`, password, hosts.String()))
	}
	configure("a wrong one")
	for range 3 {
		r := p.muster("run")
		if r.status != 1 || !strings.Contains(r.stdout, "accepted by none") {
			t.Fatalf("%+v", r)
		}
	}
	if got := sent.Load(); got != 3 {
		t.Errorf("the password was sent %d times, want 3", got)
	}
	configure("the right one")
	started := time.Now()
	if r := p.muster("run"); r.status != 0 {
		t.Fatalf("with the right password: %+v", r)
	}
	t.Logf("30 hosts in %s", time.Since(started))
	if got := sent.Load(); got != 3+30 {
		t.Errorf("the passwords were sent %d times, want 33", got)
	}
}
