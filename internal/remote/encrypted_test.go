package remote_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"muster/internal/failure"
	"muster/internal/remote"
	"muster/internal/testserver"
)

const passphrase = "a phrase of five words"

// TestEncryptedKeys opens what ssh-keygen and OpenSSL write.
func TestEncryptedKeys(t *testing.T) {
	openssl := testserver.Need(t, "openssl", "openssl")
	folder := t.TempDir()
	made := func(name string, args ...string) string {
		path := filepath.Join(folder, name)
		keygen(t, append(args, "-q", "-N", passphrase, "-f", path)...)
		return path
	}
	byOpenSSL := func(name string, args ...string) string {
		path := filepath.Join(folder, name)
		command := exec.CommandContext(t.Context(), openssl, append(args, "-out", path, "-pass", "pass:"+passphrase)...)
		if output, err := command.CombinedOutput(); err != nil {
			t.Fatalf("openssl %v: %v: %s", args, err, output)
		}
		return path
	}
	for name, path := range map[string]string{
		"OpenSSH ed25519":  made("a", "-t", "ed25519"),
		"OpenSSH rsa":      made("b", "-t", "rsa", "-b", "2048"),
		"PEM rsa":          made("c", "-t", "rsa", "-b", "2048", "-m", "PEM"),
		"PEM ecdsa":        made("d", "-t", "ecdsa", "-m", "PEM"),
		"PKCS8 rsa":        made("e", "-t", "rsa", "-b", "2048", "-m", "PKCS8"),
		"PKCS8 ecdsa":      made("f", "-t", "ecdsa", "-m", "PKCS8"),
		"OpenSSL ed25519":  byOpenSSL("g", "genpkey", "-algorithm", "ed25519", "-aes256"),
		"OpenSSL rsa, 128": byOpenSSL("h", "genpkey", "-algorithm", "rsa", "-aes128"),
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.Chmod(path, 0o600); err != nil {
				t.Fatal(err)
			}
			signer, err := remote.LoadKey(path, passphrase)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := signer.Sign(nil, []byte("x")); err != nil {
				t.Error(err)
			}
			_, err = remote.LoadKey(path, "")
			want{kind: failure.Configuration, says: []string{path, "encrypted"}, advice: []string{"passphrase="}}.check(t, err)
			var missing *ssh.PassphraseMissingError
			if !errors.As(err, &missing) {
				t.Errorf("%v is not a missing passphrase", err)
			}
			for _, wrong := range []string{"wrong", "wrong2", "wrong3", "wrong4"} {
				_, err = remote.LoadKey(path, wrong)
				want{kind: failure.Configuration, says: []string{path, "passphrase is not right"},
					advice: []string{"ssh-keygen -y -f " + path}}.check(t, err)
				if !errors.Is(err, remote.ErrPassphrase) || strings.Contains(err.Error(), wrong) {
					t.Errorf("a wrong one: %v", err)
				}
			}
		})
	}
}

func TestLoadPublicKey(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "id")
	keygen(t, "-q", "-t", "ed25519", "-N", passphrase, "-f", path)
	signer, err := remote.LoadKey(path, passphrase)
	if err != nil {
		t.Fatal(err)
	}
	check := func(path string) {
		t.Helper()
		if got, err := remote.LoadPublicKey(path); err != nil || ssh.FingerprintSHA256(got) != ssh.FingerprintSHA256(signer.PublicKey()) {
			t.Errorf("%s: %v", path, err)
		}
	}
	check(path + ".pub")
	check(path) // the private key is encrypted, and its public half is not
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	check(path)
	if err := os.Remove(path + ".pub"); err != nil {
		t.Fatal(err)
	}
	_, err = remote.LoadPublicKey(path)
	want{kind: failure.Configuration, says: []string{path}}.check(t, err)
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v is not fs.ErrNotExist", err)
	}
	_, err = remote.LoadPublicKey(writeFile(t, "id.pub", "nothing", 0o600))
	want{kind: failure.Configuration, says: []string{"not a public key"}}.check(t, err)
}

func TestSSHDByEncryptedKey(t *testing.T) {
	noLeak(t)
	server := testserver.SSHD(t, testserver.SSHDOptions{})
	keygen(t, "-q", "-p", "-P", "", "-N", passphrase, "-f", server.KeyFile)
	key, err := remote.LoadKey(server.KeyFile, passphrase)
	if err != nil {
		t.Fatal(err)
	}
	o := remote.Options{Host: "web1", Address: server.Address, Port: server.Port, User: server.User, Signers: []ssh.Signer{key}}
	if o.HostKeys, err = remote.LoadHostKeys(server.KnownHosts); err != nil {
		t.Fatal(err)
	}
	dial(t, o)
}
