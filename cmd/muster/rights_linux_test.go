package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"muster/internal/testserver"
)

// TestLeastRights follows docs/least-rights.md: its commands are run as they stand there, those for the host as root where
// /etc, /home and /usr/local are of the test's own, and its configurations visit that host.
func TestLeastRights(t *testing.T) {
	for program, debianPackage := range map[string]string{
		"useradd": "passwd", "visudo": "sudo", "ssh-keygen": "openssh-client", "sha256sum": "coreutils",
	} {
		testserver.Need(t, program, debianPackage)
	}
	const file = "docs/least-rights.md"
	commands, groups := blocks(t, file, "sh"), blocks(t, file, "xml")
	if len(commands) != 5 || len(groups) != 2 {
		t.Fatalf("%d blocks of commands and %d configurations", len(commands), len(groups))
	}
	p := newPlace(t)
	shell(t, p, strings.Replace(commands[0], "linux/amd64", "linux/"+runtime.GOARCH, 1))
	bring := "cd " + p.dir + "\n"
	install, sudo, forced, list := commands[1], commands[2], commands[3], commands[4]

	restricted := []string{"AuthorizedKeysFile .ssh/authorized_keys", "StrictModes yes", "UsePAM yes", "LogLevel VERBOSE"}
	const checkSum = "\nsha256sum /usr/local/libexec/muster-client >sum; chmod 644 sum\n"
	s := testserver.SSHD(t, testserver.SSHDOptions{Setup: bring + install + checkSum, Config: restricted})
	visitRestricted(t, p, s, groups[0], "installed for its user")
	sum, err := os.ReadFile(p.path("sum"))
	if err != nil {
		t.Fatal(err)
	}
	if listed := p.want(0, "client").stdout; !strings.Contains(listed, string(sum[:64])) {
		t.Errorf("muster client does not list %s:\n%s", sum, listed)
	}

	const logs = `
echo file:/etc/named.log >>/usr/local/libexec/muster-client.logs
echo root may read this >/etc/named.log
echo nobody named this >/etc/unnamed.log
chmod 600 /etc/*named.log
`
	s = testserver.SSHD(t, testserver.SSHDOptions{Setup: bring + install + sudo + forced + list + logs, Config: restricted})
	asked := `<logs channel="file:/etc/named.log" since="all"/><logs channel="file:/etc/unnamed.log" since="all"/><host`
	visitRestricted(t, p, s, strings.Replace(groups[1], "<host", asked, 1), "run by sudo")
	if r := p.want(0, "logs"); !strings.Contains(r.stdout, "root may read this") || strings.Contains(r.stdout, "nobody named this") {
		t.Errorf("the logs that are read:\n%s%s", r.stdout, r.stderr)
	}
	if r := p.want(0, "status"); !strings.Contains(r.stdout, "/usr/local/libexec/muster-client.logs names") {
		t.Errorf("the status does not say why a log is not read:\n%s", r.stdout)
	}

	remove := "userdel --remove muster; rm /usr/local/libexec/muster-client\n! id muster 2>/dev/null && [ ! -e /home/muster ]\n"
	if text, err := os.ReadFile(filepath.Join("../..", file)); err != nil || !strings.Contains(string(text), "`userdel --remove muster`") {
		t.Errorf("how to remove it is not in the document: %v", err)
	}
	testserver.SSHD(t, testserver.SSHDOptions{Setup: bring + install + remove})
}

// shell runs commands of a document in a place.
func shell(t *testing.T, p *place, commands string) {
	t.Helper()
	command := p.command(t.Context())
	command.Path, command.Args = "/bin/sh", []string{"sh", "-e", "-c", commands}
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s\n%s", err, commands, output)
	}
}

// visitRestricted visits the host of a document's group, which is s, and then tries what the key must not be good for.
func visitRestricted(t *testing.T, p *place, s *testserver.Sshd, group, name string) {
	t.Helper()
	group = strings.Replace(group, `address="web1.example.org"`,
		fmt.Sprintf(`name="%s" address="%s" port="%d" known-hosts="%s"`, name, s.Address, s.Port, s.KnownHosts), 1)
	p.write("muster.xml", `<muster xmlns="urn:muster:config:1"><server data="data"/>`+group+`</muster>`)
	if r := p.want(0, "run"); !strings.Contains(r.stdout, "1 host visited") {
		t.Errorf("%s:\n%s%s", name, r.stdout, r.stderr)
	}
	ssh := fmt.Sprintf("ssh -F none -i muster.key -p %d -o UserKnownHostsFile=%s -o BatchMode=yes muster@%s ",
		s.Port, s.KnownHosts, s.Address)
	shell(t, p, "chmod 600 muster.key; if "+ssh+"id </dev/null >said 2>&1; then exit 1; fi; ! grep uid= said && grep -q 'none came' said")
	shell(t, p, "! "+ssh+"-s sftp </dev/null | grep -a . && ! "+ssh+"-tt </dev/null | grep -a '[$#]'")
}
