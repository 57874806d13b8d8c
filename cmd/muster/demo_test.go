package main

import (
	"net"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"muster/internal/testserver"
)

// silentListener accepts connections and says nothing; it returns its port.
func silentListener(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		var conns []net.Conn
		for {
			conn, err := listener.Accept()
			if err != nil {
				break
			}
			conns = append(conns, conn)
		}
		for _, conn := range conns {
			conn.Close()
		}
	}()
	t.Cleanup(func() {
		listener.Close()
		<-done
	})
	return listener.Addr().(*net.TCPAddr).Port
}

// TestDemo runs what make demo runs, and what it suggests to try.
func TestDemo(t *testing.T) {
	p := newPlace(t)
	r := p.want(0, "demo", "--dir", "shown")
	for _, want := range []string{
		"5 hosts visited in",
		"5 reported, 0 failed, 16 log records; no alerts",
		"4 reported, 1 failed, 8 log records; 3 alerts (3 new, 0 over)",
		"HOST", "web1", "db2", "refused",
		"Subject: [muster] 3 alerts, 1 log record",
		"memory.usage above 1 % for 1s",
		"Log records above 3 within 10m (1)",
		"new user: name=backup2",
		"auth.log  sshd[2310]: Failed password for invalid user admin from 203.0.113.77",
	} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("the demo does not show %q:\n%s", want, r.stdout)
		}
	}
	if strings.Contains(r.stdout, "\x1b") {
		t.Error("the demo colours what no terminal shows")
	}
	query := regexp.MustCompile(`(?m)^  (sqlite3 .*)$`).FindStringSubmatch(r.stdout)
	if query == nil {
		t.Fatalf("the demo suggests no query:\n%s", r.stdout)
	}
	suggested := regexp.MustCompile(`(?m)^  muster (logs .*)$`).FindAllStringSubmatch(r.stdout, -1)
	want := []int{7, 8} // the logons of the attack; all that web1 has logged
	if len(suggested) != len(want) {
		t.Fatalf("the demo suggests %q", suggested)
	}
	for i, command := range suggested {
		if shown := p.want(0, strings.Fields(command[1])...).stdout; strings.Count(shown, "\n") != want[i] {
			t.Errorf("%s shows not %d lines:\n%s", command[1], want[i], shown)
		}
	}
	testserver.Need(t, "sqlite3", "sqlite3")
	output, err := exec.Command("sh", "-c", query[1]).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", query[1], err, output)
	}
	for _, want := range []string{"web1", "db1", "memory.usage", "load.1"} {
		if !strings.Contains(string(output), want) {
			t.Errorf("the suggested query does not show %q:\n%s", want, output)
		}
	}
	if r := p.muster("demo", "--dir", "shown"); r.status != 2 || !strings.Contains(r.stderr, "exists") {
		t.Errorf("a folder that exists: status %d\n%s", r.status, r.stderr)
	}
	if _, err := os.Stat(p.path("shown/muster.xml")); err != nil {
		t.Error(err)
	}
}
