package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"muster/internal/testserver"
)

// TestAlertOnFailedLogons has somebody guess passwords at a real sshd, whose own lines are the log that is watched.
func TestAlertOnFailedLogons(t *testing.T) {
	p := newPlace(t)
	sshd := testserver.SSHD(t, testserver.SSHDOptions{})
	sshd.NeedPassword(t)
	smtp := testserver.SMTP(t, testserver.SMTPOptions{Username: "muster", Password: "m4il-s3cret"})
	p.write("mail.pass", smtp.Password)
	log := filepath.Join(sshd.Home, "auth.log")
	p.write("muster.xml", fmt.Sprintf(`<muster xmlns="urn:muster:config:1"><server data="data"/>
  <mail host="localhost" port="%d" username="muster" password="file:mail.pass" ca="%s" from="muster@example.org" to="ops@example.org"/>
  <limit log="file:%[3]s" logon="failed" above="3" for="10m"/>
  <limit log="file:%[3]s" logon="accepted" above="50" for="10m"/>
  <limit log="file:%[3]s" above="1000" for="10m"/>
  <mail-records log="file:%[3]s" logon="failed" providers="su"/>
  <group user="%s" key="%s" known-hosts="%s">
    <host name="web1" address="%s" port="%d"><logs channel="file:%[3]s"/></host>
  </group></muster>`, smtp.Port, smtp.CA, log, sshd.User, sshd.KeyFile, sshd.KnownHosts, sshd.Address, sshd.Port))

	written, guesses := 0, 0
	// record writes what sshd has said since the last time into the log, as a syslog daemon does.
	record := func(more ...string) {
		t.Helper()
		var said string
		for end := time.Now().Add(patience); ; runtime.Gosched() { // it comes through a pipe
			if said = sshd.Log(); strings.Count(said, "Failed password") >= guesses {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("sshd does not say that it refused %d passwords", guesses)
			}
		}
		said = said[:strings.LastIndexByte(said, '\n')+1]
		var b strings.Builder
		for line := range strings.Lines(said[written:]) {
			fmt.Fprintf(&b, "%s web1 sshd[7]: %s\n", time.Now().Format("2006-01-02T15:04:05.000000Z07:00"), strings.TrimSpace(line))
		}
		for _, line := range more {
			fmt.Fprintf(&b, "%s web1 %s\n", time.Now().Format("2006-01-02T15:04:05.000000Z07:00"), line)
		}
		written = len(said)
		file, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := file.WriteString(b.String()); err != nil {
			t.Fatal(err)
		}
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
	}
	guess := func(user string) {
		t.Helper()
		guesses++
		_, err := ssh.Dial("tcp", fmt.Sprintf("%s:%d", sshd.Address, sshd.Port), &ssh.ClientConfig{
			User: user, Auth: []ssh.AuthMethod{ssh.Password("wr0ng")}, HostKeyCallback: ssh.InsecureIgnoreHostKey(), Timeout: patience,
		})
		if err == nil || !strings.Contains(err.Error(), "unable to authenticate") {
			t.Fatalf("%s is not refused: %v", user, err)
		}
	}

	record()
	p.want(0, "run") // whose own login sshd logs, too
	guess(sshd.User)
	guess("nobody-here")
	guess(sshd.User)
	record()
	if sweep := decode[sweepResult](t, p.want(0, "run", "--json").stdout); sweep.Alerts != 0 {
		t.Errorf("three failed logons: %+v", sweep)
	}
	guess(sshd.User)
	record("su[9]: pam_unix(su:session): session opened for user root(uid=0) by ann(uid=1000)")
	if sweep := decode[sweepResult](t, p.want(0, "run", "--json").stdout); sweep.Raised != 1 || sweep.Alerts != 1 {
		t.Errorf("four failed logons: %+v", sweep)
	}
	if found := p.want(0, "logs", "--failed-logons", "--json").stdout; strings.Count(found, `"outcome":"failed"`) != 4 {
		t.Errorf("muster logs finds\n%s", found)
	}
	shows := func(wanted ...string) {
		t.Helper()
		status := p.want(0, "status", "web1").stdout
		for _, want := range wanted {
			if !strings.Contains(status, want) {
				t.Errorf("muster status does not show %q:\n%s", want, status)
			}
		}
	}
	shows("4 records of file:"+log+", failed logons, limit above 3 within 10m", " UTC; the last: ",
		"sshd: Failed password for "+sshd.User+" from 127.0.0.1 port ")
	mails := smtp.Messages(t, 1)
	if len(mails) != 1 || !strings.Contains(string(mails[0].Raw), "Log records above 3 within 10m") {
		t.Errorf("mails: %d", len(mails))
	}
	checked := p.want(0, "check", "web1").stdout
	for _, want := range []string{"limit: file:" + log + ", failed logons: above 3 within 10m", "limit: file:" + log + ", accepted logons: above 50 within 10m",
		"mail:  file:" + log + ", failed logons, providers su, to ops@example.org"} {
		if !strings.Contains(checked, want) {
			t.Errorf("muster check does not show %q:\n%s", want, checked)
		}
	}
	for _, user := range []string{"nobody-here", sshd.User, sshd.User, "nobody-here", sshd.User} {
		guess(user)
	}
	record()
	p.want(0, "run")
	shows("9 records of file:"+log+", failed logons, limit above 3 within 10m",
		"the 5 that came last by address: 127.0.0.1 (5); by account: "+sshd.User+" (3), nobody-here (2); the last: ")
	if mails := smtp.Messages(t, 1); len(mails) != 1 {
		t.Errorf("%d mails: what was told is told again", len(mails))
	}
}
