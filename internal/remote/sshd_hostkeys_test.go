package remote_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"muster/internal/failure"
	"muster/internal/remote"
	"muster/internal/testserver"
)

// certifySSHD gives an sshd's Ed25519 host key a certificate by ssh-keygen, and returns the authority's public key.
func certifySSHD(t *testing.T, server *testserver.Sshd, args ...string) (authority string) {
	t.Helper()
	ca := filepath.Join(t.TempDir(), "ca")
	keygen(t, "-q", "-t", "ed25519", "-N", "", "-f", ca)
	host := filepath.Join(server.Folder(), "host_ed25519")
	public, err := remote.LoadKey(host, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(host+".pub", ssh.MarshalAuthorizedKey(public.PublicKey()), 0o644); err != nil {
		t.Fatal(err)
	}
	keygen(t, append(append([]string{"-q", "-s", ca, "-I", "web1", "-h"}, args...), host+".pub")...)
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	return read(t, ca+".pub")
}

// TestSSHDWithAHostCertificate has OpenSSH's own server show certificates that ssh-keygen made.
func TestSSHDWithAHostCertificate(t *testing.T) {
	noLeak(t)
	// sshd reads the certificate beside the key if HostCertificate names it, and does without while it is not there.
	server := testserver.SSHD(t, testserver.SSHDOptions{HostCertificate: true})
	o := sshdOptions(t, server)
	plain := read(t, server.KnownHosts)
	authority := certifySSHD(t, server, "-n", "127.0.0.1,web1")
	trusted := "@cert-authority * " + authority

	o.HostKeys = knownHosts(t, trusted)
	dial(t, o)
	o.KnownAs, o.HostKeys = "web1", knownHosts(t, "@cert-authority web* "+authority)
	dial(t, o)
	o.KnownAs = "db1"
	_, err := remote.Dial(within(t), o)
	want{failure.Handshake, failure.HostKeyUnknown, []string{"db1"}, nil}.check(t, err)

	o.KnownAs, o.HostKeys = "", knownHosts(t, trusted+"@revoked * "+authority)
	_, err = remote.Dial(within(t), o)
	want{failure.Handshake, failure.HostKeyRevoked, []string{":2"}, nil}.check(t, err)
	o.HostKeys = knownHosts(t, trusted+"@revoked * "+strings.SplitN(plain, " ", 2)[1])
	_, err = remote.Dial(within(t), o)
	want{failure.Handshake, failure.HostKeyRevoked, []string{":2"}, nil}.check(t, err)

	expired := certifySSHD(t, server, "-n", "127.0.0.1", "-V", "20200101:20200102")
	o.HostKeys = knownHosts(t, "@cert-authority * "+expired)
	_, err = remote.Dial(within(t), o)
	want{failure.Handshake, failure.HostKeyUnknown, []string{"not valid", "expired"}, []string{"renew"}}.check(t, err)
	o.HostKeys = knownHosts(t, "@cert-authority * "+expired+plain)
	dial(t, o) // its own key is known too
}

func TestSSHDWhoseKeyIsRevoked(t *testing.T) {
	noLeak(t)
	server := testserver.SSHD(t, testserver.SSHDOptions{})
	o := sshdOptions(t, server)
	known := read(t, server.KnownHosts)
	o.HostKeys = knownHosts(t, known+"@revoked * "+strings.SplitN(known, " ", 2)[1])
	_, err := remote.Dial(within(t), o)
	want{failure.Handshake, failure.HostKeyRevoked, []string{":2"}, []string{"@revoked"}}.check(t, err)
}

func TestSSHDAcceptedAndPinned(t *testing.T) {
	noLeak(t)
	server := testserver.SSHD(t, testserver.SSHDOptions{HostKeys: []string{"rsa", "ecdsa", "ed25519"}})
	o := sshdOptions(t, server)
	file := filepath.Join(t.TempDir(), "known_hosts")
	o.HostKeys = acceptNew(t, file)
	dial(t, o)
	if got := read(t, file); !strings.Contains(read(t, server.KnownHosts), got) || !strings.Contains(got, "ssh-ed25519") {
		t.Errorf("recorded: %q", got)
	}
	for known := range strings.Lines(read(t, server.KnownHosts)) {
		_, _, key, _, _, err := ssh.ParseKnownHosts([]byte(known))
		if err != nil {
			t.Fatal(err)
		}
		o.HostKeys = remote.PinHostKeys(ssh.FingerprintSHA256(key))
		dial(t, o)
	}
}

// TestShowHostKey looks at keys, as known as they are, and sends nothing more.
func TestShowHostKey(t *testing.T) {
	noLeak(t)
	server := testserver.SSHD(t, testserver.SSHDOptions{HostKeys: []string{"ed25519", "rsa"}})
	o := sshdOptions(t, server)
	o.User, o.Signers = "", nil
	known := read(t, server.KnownHosts)
	lines := strings.SplitAfter(known, "\n")
	name := strings.Fields(known)[0]
	for _, c := range []struct {
		name, content, kind string
		want                failure.Kind
	}{
		{"known", known, ssh.KeyAlgoED25519, ""},
		{"known by another type", lines[1], ssh.KeyAlgoRSA, ""},
		{"unknown", "", ssh.KeyAlgoED25519, failure.HostKeyUnknown},
		{"changed", line(name, newKey(t)), ssh.KeyAlgoED25519, failure.HostKeyChanged},
		{"gone", line(name, hostKey(t, ssh.KeyAlgoECDSA256)), ssh.KeyAlgoED25519, failure.HostKeyChanged},
		{"revoked", known + "@revoked * " + strings.SplitN(lines[0], " ", 2)[1], ssh.KeyAlgoED25519, failure.HostKeyRevoked},
	} {
		t.Run(c.name, func(t *testing.T) {
			o.HostKeys = knownHosts(t, c.content)
			shown, err := remote.ShowHostKey(within(t), o)
			if err != nil {
				t.Fatal(err)
			}
			if shown.Key.Type() != c.kind || c.want == "" && shown.Refused != nil {
				t.Errorf("got %s, %v", shown.Key.Type(), shown.Refused)
			}
			if c.want != "" && (shown.Refused == nil || shown.Refused.Kind != c.want) {
				t.Errorf("got %v, want %s", shown.Refused, c.want)
			}
		})
	}
	if log := server.Log(); strings.Contains(log, "user") && strings.Contains(log, "Failed") {
		t.Errorf("somebody tried to log in:\n%s", log)
	}
	o.Port = 1
	_, err := remote.ShowHostKey(within(t), o)
	want{failure.Dial, failure.Refused, nil, nil}.check(t, err)
}
