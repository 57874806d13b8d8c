package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"muster/internal/testserver"
)

// blocks returns the fenced blocks of a language in a document of the project.
func blocks(t *testing.T, file, language string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../..", file))
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, match := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```").FindAllStringSubmatch(string(text), -1) {
		found = append(found, match[1])
	}
	if len(found) == 0 {
		t.Fatalf("%s has no %s block", file, language)
	}
	return found
}

// TestMakeTargetsExist asks make for every target that the documents name, without making it.
func TestMakeTargetsExist(t *testing.T) {
	testserver.Need(t, "make", "make")
	for _, file := range []string{"README.md", "CONTRIBUTING.md"} {
		for _, block := range blocks(t, file, "sh") {
			for line := range strings.Lines(block) {
				command, _, _ := strings.Cut(line, "#")
				if !strings.HasPrefix(command, "make") {
					continue
				}
				make := exec.Command("sh", "-c", strings.TrimSpace(command)+" --dry-run")
				make.Dir = "../.."
				if output, err := make.CombinedOutput(); err != nil {
					t.Errorf("%s: %s: %v\n%s", file, command, err, output)
				}
			}
		}
	}
}

// TestReadmeFirstFleet runs the commands of the README's first fleet as they stand there, but for the host's name: its
// place takes an sshd on loopback. make has been run already, or there would be no tests; serve is stopped after a while.
func TestReadmeFirstFleet(t *testing.T) {
	p := newPlace(t)
	sshd := testserver.SSHD(t, testserver.SSHDOptions{})
	for _, folder := range []string{"bin", ".ssh"} {
		if err := os.Mkdir(p.path(folder), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	muster, err := exec.LookPath("muster")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(muster, p.path("bin/muster")); err != nil {
		t.Fatal(err)
	}
	// The editor puts the host, the user and the key into what init has written, takes the host out of its comment, and
	// names a data directory, since root's default is the machine's.
	editor := p.write("editor", fmt.Sprintf(`#!/bin/sh -e
sed -i 's|^<muster .*|&<server data="data"/>|; s|user="monitor" key="~/.ssh/id_ed25519"|user="%s" key="%s"|; s|address="host.example.org"|address="127.0.0.1" port="%d"|; '`+
		`'/Your first host/d; /address="127.0.0.1"/{n;d}' "$1"
`, sshd.User, sshd.KeyFile, sshd.Port))
	if err := os.Chmod(editor, 0o700); err != nil {
		t.Fatal(err)
	}

	var ran []string
	for line := range strings.Lines(blocks(t, "README.md", "sh")[1]) {
		command, _, _ := strings.Cut(line, "#")
		command = strings.TrimSpace(command)
		switch command {
		case "make":
			continue
		case "bin/muster serve":
			command = "timeout --preserve-status -s TERM 3 bin/muster serve"
		case "bin/muster trust":
			command += " --yes" // there is no terminal to say it on
		}
		shell := exec.Command("sh", "-c", command)
		shell.Dir = p.dir
		shell.Env = []string{"HOME=" + p.dir, "EDITOR=" + editor, "PATH=" + os.Getenv("PATH")}
		output, err := shell.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", command, err, output)
		}
		ran = append(ran, command)
		if strings.HasSuffix(command, "run") && !strings.Contains(string(output), "1 host visited") {
			t.Errorf("%s:\n%s", command, output)
		}
		if strings.HasSuffix(command, "status") && !strings.Contains(string(output), "servers") {
			t.Errorf("%s:\n%s", command, output)
		}
	}
	if len(ran) != 7 {
		t.Errorf("%d commands ran, want init, the editor, trust, check, run, status and serve: %q", len(ran), ran)
	}
}

// TestReadmeNamesEveryCommand compares the README's table with what the program offers.
func TestReadmeNamesEveryCommand(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	named := make(map[string]bool)
	for _, row := range regexp.MustCompile("(?m)^\\| `muster ([a-z]+)[^|]*\\|").FindAllStringSubmatch(string(text), -1) {
		named[row[1]] = true
	}
	help := newPlace(t).want(0, "--help")
	offered := make(map[string]bool)
	for _, row := range regexp.MustCompile(`(?m)^  ([a-z]+)( .*)?$`).FindAllStringSubmatch(help.stdout[strings.Index(help.stdout, "Commands:"):], -1) {
		offered[row[1]] = true
	}
	for command := range offered {
		if !named[command] {
			t.Errorf("the README's table lacks muster %s", command)
		}
	}
	for command := range named {
		if !offered[command] {
			t.Errorf("the README's table has muster %s, which there is not", command)
		}
	}
	if len(offered) < 9 {
		t.Errorf("only %d commands are offered:\n%s", len(offered), help.stdout)
	}
}

// TestFailuresCommands runs the commands of docs/failures.md over a fleet of that shape.
func TestFailuresCommands(t *testing.T) {
	p := newPlace(t)
	sshd := testserver.SSHD(t, testserver.SSHDOptions{})
	p.write("muster.xml", fmt.Sprintf(`<muster xmlns="urn:muster:config:1"><server data="data"/>
  <group name="web" user="%s" key="%s" known-hosts="%s"><host name="web1" address="%s" port="%d"/></group></muster>`,
		sshd.User, sshd.KeyFile, sshd.KnownHosts, sshd.Address, sshd.Port))
	ran := 0
	for line := range strings.Lines(blocks(t, "docs/failures.md", "sh")[0]) {
		command, _, _ := strings.Cut(line, "#")
		args := strings.Fields(command)
		if args[0] != "muster" {
			t.Fatalf("%q is no command of muster", command)
		}
		if r := p.want(0, args[1:]...); !strings.Contains(r.stdout, "ok    ") && !strings.Contains(r.stdout, "1 well") {
			t.Errorf("%s:\n%s", command, r.stdout)
		}
		ran++
	}
	if ran != 3 {
		t.Errorf("%d commands", ran)
	}
}

// TestReadmeConfiguration reads the README's configuration: it has no mistakes, and there is nothing to show of it yet.
func TestReadmeConfiguration(t *testing.T) {
	p := newPlace(t)
	p.write("muster.xml", strings.Replace(blocks(t, "README.md", "xml")[0], ">", `><server data="data"/>`, 1))
	p.write("mail.pass", "secret")
	if r := p.want(3, "status"); !strings.Contains(r.stderr, "muster run") {
		t.Errorf("status:\n%s\n%s", r.stdout, r.stderr)
	}
}
