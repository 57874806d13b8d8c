package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"muster/internal/testserver"
)

// TestLogsPage runs the commands of docs/logs.md as they stand there over hosts of those names, one of which has a log. Those
// that follow are stopped after a while.
func TestLogsPage(t *testing.T) {
	p := newPlace(t)
	sshd := testserver.SSHD(t, testserver.SSHDOptions{})
	log := filepath.Join(sshd.Home, "auth.log")
	attempt := time.Now().Format(time.RFC3339) + " web1 sshd[1]: Failed password for invalid user admin from 203.0.113.7 port 4242 ssh2\n"
	if err := os.WriteFile(log, []byte(attempt), 0o644); err != nil {
		t.Fatal(err)
	}
	p.write("muster.xml", fmt.Sprintf(`<muster xmlns="urn:muster:config:1"><server data="data"/>
  <group user="%s" key="%s" known-hosts="%s">
    <host name="web1" address="%s" port="%d"><logs channel="file:%s"/></host><host name="dc1" address="%[4]s" port="%[5]d"/>
  </group></muster>`, sshd.User, sshd.KeyFile, sshd.KnownHosts, sshd.Address, sshd.Port, log))
	ran := 0
	for _, block := range blocks(t, "docs/logs.md", "sh") {
		for line := range strings.Lines(block) {
			command, meaning, _ := strings.Cut(strings.TrimSpace(line), "#")
			follows := strings.Contains(command, "--follow")
			if follows {
				command = "timeout --foreground --preserve-status -s INT 2 " + command
			}
			shell := exec.Command("sh", "-c", command)
			shell.Dir, shell.Env = p.dir, p.command(t.Context()).Env
			output, err := shell.CombinedOutput()
			if err != nil {
				t.Fatalf("%s: %v\n%s", command, err, output)
			}
			if strings.Contains(meaning, "failed to log in") && !strings.Contains(string(output), "invalid user admin from 203.0.113.7") {
				t.Errorf("%s:\n%s", command, output)
			}
			ran++
		}
	}
	if ran != 8 {
		t.Errorf("%d commands ran", ran)
	}
}
