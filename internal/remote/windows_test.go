package remote_test

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"muster/internal/failure"
	"muster/internal/remote"
	"muster/internal/sshtest"
)

// Windows keeps the keys of administrators where nobody looks for them. A password that is refused has nothing to do with it.
func TestAdviceOnKeysIsThatOfWindows(t *testing.T) {
	const place = `administrators_authorized_keys`
	for _, c := range []struct {
		name, version, password string
		signers                 []ssh.Signer
		want                    bool
	}{
		{"a key on Windows", "SSH-2.0-OpenSSH_for_Windows_9.5", "", []ssh.Signer{newKey(t)}, true},
		{"a key and a password on Windows", "SSH-2.0-OpenSSH_for_Windows_8.1", "wrong", []ssh.Signer{newKey(t)}, true},
		{"a password on Windows", "SSH-2.0-OpenSSH_for_Windows_9.5", "wrong", nil, false},
		{"a key elsewhere", "SSH-2.0-OpenSSH_9.5", "", []ssh.Signer{newKey(t)}, false},
	} {
		server := newServer(t, sshtest.Options{
			Keys:      []ssh.PublicKey{newKey(t).PublicKey()},
			Configure: func(config *ssh.ServerConfig) { config.ServerVersion = c.version },
		})
		o := options(t, server)
		o.Password, o.Signers = c.password, c.signers
		_, err := remote.Dial(within(t), o)
		var failed *failure.Error
		if !errors.As(err, &failed) || failed.Kind != failure.LoginFailed {
			t.Fatalf("%s: %v", c.name, err)
		}
		if got := strings.Contains(failed.Help(), place); got != c.want {
			t.Errorf("%s: the advice is %q", c.name, failed.Help())
		}
	}
}
