package testserver_test

import (
	"bytes"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"muster/internal/testserver"
)

// login logs in and runs a command.
func login(t *testing.T, s *testserver.Sshd, method ssh.AuthMethod, command string) (string, error) {
	t.Helper()
	check, err := knownhosts.New(s.KnownHosts)
	if err != nil {
		t.Fatal(err)
	}
	client, err := ssh.Dial("tcp", net.JoinHostPort(s.Address, strconv.Itoa(s.Port)), &ssh.ClientConfig{
		User: s.User, Auth: []ssh.AuthMethod{method}, HostKeyCallback: check,
		HostKeyAlgorithms: []string{ssh.KeyAlgoED25519},
	})
	if err != nil {
		return "", err
	}
	defer client.Close()
	session, err := client.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	output, err := session.Output(command)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(output)), nil
}

func TestSSHDLetsInByKeyIntoItsHome(t *testing.T) {
	s := testserver.SSHD(t, testserver.SSHDOptions{})
	content, err := os.ReadFile(s.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.ParsePrivateKey(content)
	if err != nil {
		t.Fatal(err)
	}
	home := s.Home
	if home == "" {
		if home, err = os.UserHomeDir(); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := login(t, s, ssh.PublicKeys(key), "echo $HOME"); err != nil || got != home {
		t.Errorf("got %q, %v; want %q", got, err, home)
	}
}

func TestSSHDKnowsThePassword(t *testing.T) {
	s := testserver.SSHD(t, testserver.SSHDOptions{Shell: "/bin/sh"})
	s.NeedPassword(t)
	if got, err := login(t, s, ssh.Password(s.Password), "id -un"); err != nil || got != s.User {
		t.Errorf("got %q, %v; want %q", got, err, s.User)
	}
	if _, err := login(t, s, ssh.Password("wrong"), "true"); err == nil {
		t.Error("the wrong password is accepted")
	}
	s.AwaitLog(t, "Failed password for "+s.User)
}

func TestSSHDHasTheHostKeysAskedFor(t *testing.T) {
	s := testserver.SSHD(t, testserver.SSHDOptions{HostKeys: []string{"rsa", "ecdsa", "ed25519"}})
	known, err := os.ReadFile(s.KnownHosts)
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{ssh.KeyAlgoRSA, ssh.KeyAlgoECDSA256, ssh.KeyAlgoED25519} {
		if !bytes.Contains(known, []byte(" "+kind+" ")) {
			t.Errorf("no key of the type %s in\n%s", kind, known)
		}
	}
}

// What a setup changes is seen by sshd, at each start anew, and by nobody else.
func TestSSHDHasAMachineOfItsOwn(t *testing.T) {
	const mark = "muster-test-setup"
	s := testserver.SSHD(t, testserver.SSHDOptions{
		Setup: "for folder in /etc /usr/local /home; do [ ! -e $folder/" + mark + " ]; echo here >$folder/" + mark + "; done",
	})
	content, err := os.ReadFile(s.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.ParsePrivateKey(content)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		got, err := login(t, s, ssh.PublicKeys(key), "cat /etc/"+mark+" /usr/local/"+mark+" /home/"+mark+" && id -un")
		if want := "here\nhere\nhere\n" + s.User; err != nil || got != want {
			t.Errorf("got %q, %v", got, err)
		}
		for _, folder := range []string{"/etc/", "/usr/local/", "/home/"} {
			if _, err := os.Stat(folder + mark); err == nil {
				t.Errorf("%s is on the machine itself", folder+mark)
			}
		}
		if err := s.Restart(); err != nil {
			t.Fatal(err)
		}
	}
	s.Restrict(t, `command="echo forced"`)
	if got, err := login(t, s, ssh.PublicKeys(key), "echo free"); err != nil || got != "forced" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestSSHDStopsWithItsTest(t *testing.T) {
	var address, folder string
	t.Run("started", func(t *testing.T) {
		s := testserver.SSHD(t, testserver.SSHDOptions{})
		address, folder = net.JoinHostPort(s.Address, strconv.Itoa(s.Port)), s.KnownHosts
	})
	if conn, err := net.Dial("tcp", address); err == nil {
		conn.Close()
		t.Error("it still listens")
	}
	if _, err := os.Stat(folder); err == nil {
		t.Error("its folder is still there")
	}
}
