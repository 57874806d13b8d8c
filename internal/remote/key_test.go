package remote_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"muster/internal/failure"
	"muster/internal/remote"
)

// keyFile writes a private key in OpenSSH's format, encrypted if there is a passphrase.
func keyFile(t testing.TB, passphrase string, mode os.FileMode) (path string, public ssh.PublicKey) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if passphrase != "" {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(private, "", []byte(passphrase))
	}
	if err != nil {
		t.Fatal(err)
	}
	if public, err = ssh.NewPublicKey(private.Public()); err != nil {
		t.Fatal(err)
	}
	return writeFile(t, "id_ed25519", string(pem.EncodeToMemory(block)), mode), public
}

func TestLoadKey(t *testing.T) {
	path, public := keyFile(t, "", 0o600)
	signer, err := remote.LoadKey(path, "")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(signer.PublicKey().Marshal(), public.Marshal()) {
		t.Error("it is another key")
	}
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	old := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(private)})
	if _, err := remote.LoadKey(writeFile(t, "id_rsa", string(old), 0o400), ""); err != nil {
		t.Errorf("a PEM key: %v", err)
	}
}

func TestLoadKeyRefusesWhatIsNone(t *testing.T) {
	encrypted, public := keyFile(t, "secret", 0o600)
	authorized := string(ssh.MarshalAuthorizedKey(public))
	for _, c := range []struct {
		name string
		path string
		want want
	}{
		{"missing", filepath.Join(t.TempDir(), "missing"), want{says: []string{"missing"}, advice: []string{"path"}}},
		{"a folder", t.TempDir(), want{says: []string{"not a file"}}},
		{"encrypted", encrypted, want{says: []string{encrypted, "encrypted"}, advice: []string{"passphrase="}}},
		{"public", writeFile(t, "id.pub", authorized, 0o600), want{says: []string{"public key"}, advice: []string{".pub"}}},
		{"public and open", writeFile(t, "open.pub", authorized, 0o644), want{says: []string{"public key"}, advice: []string{".pub"}}},
		{"text", writeFile(t, "notes", "my password is "+password, 0o600), want{says: []string{"not a private key"}}},
		{"large", writeFile(t, "large", strings.Repeat("x", 1<<20), 0o600), want{says: []string{"larger than 64 kB"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := remote.LoadKey(c.path, "")
			c.want.kind = failure.Configuration
			c.want.check(t, err)
		})
	}
}

func TestLoadKeyRefusesAFileThatOthersCanRead(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no modes")
	}
	for _, mode := range []os.FileMode{0o640, 0o604, 0o620} {
		path, _ := keyFile(t, "", mode)
		_, err := remote.LoadKey(path, "")
		want{kind: failure.Configuration, says: []string{path}, advice: []string{"chmod 600 " + path}}.check(t, err)
	}
}
