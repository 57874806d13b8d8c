package testserver_test

import (
	"net"
	"os"
	"strconv"
	"testing"

	"golang.org/x/crypto/ssh"

	"muster/internal/testserver"
)

func TestSSHDRestartsOnItsPortWithItsKeys(t *testing.T) {
	s := testserver.SSHD(t, testserver.SSHDOptions{})
	content, err := os.ReadFile(s.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.ParsePrivateKey(content)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", net.JoinHostPort(s.Address, strconv.Itoa(s.Port)))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for range 2 {
		if err := s.Restart(); err != nil {
			t.Fatal(err)
		}
		if got, err := login(t, s, ssh.PublicKeys(key), "echo here"); err != nil || got != "here" {
			t.Errorf("got %q, %v", got, err)
		}
	}
}

func TestMailServerRestartsOnItsPorts(t *testing.T) {
	s := testserver.SMTP(t, testserver.SMTPOptions{})
	for range 2 {
		if err := s.Restart(); err != nil {
			t.Fatal(err)
		}
		conn, err := net.Dial("tcp", net.JoinHostPort(s.Host, strconv.Itoa(s.Port)))
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.Close()
	}
	if err := s.Flush(); err != nil {
		t.Error(err)
	}
}
