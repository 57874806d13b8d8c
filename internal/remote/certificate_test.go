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

// keygen runs ssh-keygen.
func keygen(t testing.TB, args ...string) {
	t.Helper()
	program := testserver.Need(t, "ssh-keygen", "openssh-client")
	if output, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput(); err != nil {
		t.Fatalf("ssh-keygen %v: %v: %s", args, err, output)
	}
}

// certifiedUser is a key with which only a certificate gets in.
type certifiedUser struct {
	authority string // its private key
	key       string
	signer    ssh.Signer
}

// signWith makes a certificate by ssh-keygen and returns what logs in by it.
func (c *certifiedUser) signWith(t testing.TB, signer ssh.Signer, args ...string) ssh.Signer {
	t.Helper()
	keygen(t, append(append([]string{"-q", "-s", c.authority, "-I", "operator"}, args...), c.key+".pub")...)
	certificate, err := remote.LoadCertificate(c.key + "-cert.pub")
	if err != nil {
		t.Fatal(err)
	}
	certified, err := remote.Certify(certificate, signer)
	if err != nil {
		t.Fatal(err)
	}
	return certified
}

// certifyUser starts an sshd that lets in whom an authority certifies.
func certifyUser(t testing.TB, kind string) (*testserver.Sshd, *certifiedUser, remote.Options) {
	t.Helper()
	folder := t.TempDir()
	c := &certifiedUser{authority: filepath.Join(folder, "ca"), key: filepath.Join(folder, "id")}
	keygen(t, "-q", "-t", "ed25519", "-N", "", "-f", c.authority)
	keygen(t, "-q", "-t", kind, "-N", "", "-f", c.key)
	public, err := os.ReadFile(c.authority + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	trusted, err := os.CreateTemp("", "ca")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(trusted.Name()) })
	if _, err := trusted.Write(public); err != nil {
		t.Fatal(err)
	}
	_ = trusted.Close()
	server := testserver.SSHD(t, testserver.SSHDOptions{Config: []string{
		"TrustedUserCAKeys " + trusted.Name(), "PasswordAuthentication no",
	}})
	if c.signer, err = remote.LoadKey(c.key, ""); err != nil {
		t.Fatal(err)
	}
	return server, c, sshdOptions(t, server)
}

func TestSSHDByCertificate(t *testing.T) {
	noLeak(t)
	for _, kind := range []string{"ed25519", "rsa", "ecdsa"} {
		t.Run(kind, func(t *testing.T) {
			server, c, o := certifyUser(t, kind)
			o.Signers = []ssh.Signer{c.signWith(t, c.signer, "-n", server.User)}
			dial(t, o)
			server.AwaitLog(t, `Accepted certificate ID "operator"`)

			// The private half is in an agent.
			a := remote.NewAgent(sshAgent(t, c.key), nil)
			o.Signers = []ssh.Signer{c.signWith(t, a.Key(c.signer.PublicKey()), "-n", server.User)}
			dial(t, o)
		})
	}
}

func TestCertificateThatIsNotGood(t *testing.T) {
	noLeak(t)
	server, c, o := certifyUser(t, "ed25519")
	for _, test := range []struct {
		name string
		args []string
		want want
	}{
		{"expired", []string{"-n", server.User, "-V", "20200101:20200102"},
			want{says: []string{`"operator"`, "expired at 2020-01-02"}, advice: []string{"renewed"}}},
		{"not yet", []string{"-n", server.User, "-V", "20990101:20990102"},
			want{says: []string{"not valid before 2099-01-01"}, advice: []string{"renewed", "clock"}}},
		{"another's", []string{"-n", "alice,bob"}, want{says: []string{`"alice" "bob"`}, advice: []string{"-n USER"}}},
		{"nobody's", nil, want{says: []string{"no user at all"}, advice: []string{"-n USER"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			certified := c.signWith(t, c.signer, test.args...)
			o.Signers = []ssh.Signer{certified}
			_, err := remote.Dial(within(t), o)
			test.want.stage, test.want.kind = failure.Authentication, failure.LoginFailed
			test.want.check(t, err)
			before := strings.Count(server.Log(), "Failed publickey")
			own := sshdOptions(t, server).Signers[0]
			o.Signers = []ssh.Signer{certified, own}
			dial(t, o) // another key does
			offered := strings.Count(server.Log(), "Failed publickey") > before
			if expired := len(test.args) > 2; offered == expired && expired {
				t.Error("a certificate that is not valid now was offered")
			}
		})
	}
}

func TestLoadCertificateRefusesWhatIsNone(t *testing.T) {
	folder := t.TempDir()
	key := filepath.Join(folder, "id")
	keygen(t, "-q", "-t", "ed25519", "-N", "", "-f", key)
	keygen(t, "-q", "-s", key, "-I", "web1", "-h", "-n", "web1", key+".pub")
	for _, c := range []struct {
		path string
		want want
	}{
		{key + ".pub", want{says: []string{"no certificate"}, advice: []string{"-cert.pub"}}},
		{key, want{says: []string{"not a certificate"}}},
		{key + "-cert.pub", want{says: []string{"of a host"}}},
	} {
		_, err := remote.LoadCertificate(c.path)
		c.want.kind = failure.Configuration
		c.want.check(t, err)
	}
	if _, err := remote.LoadCertificate(key + "-none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
	certificate := &ssh.Certificate{Key: newKey(t).PublicKey()}
	if _, err := remote.Certify(certificate, newKey(t)); err == nil {
		t.Error("a certificate of another key is taken")
	}
}
