package remote_test

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/crypto/ssh"
	xknownhosts "golang.org/x/crypto/ssh/knownhosts"

	"muster/internal/failure"
	"muster/internal/remote"
	"muster/internal/sshtest"
)

// acceptNew returns host keys that accept unknown hosts and record them in a file.
func acceptNew(t testing.TB, path string) *remote.HostKeys {
	t.Helper()
	keys, err := remote.LoadHostKeys(path)
	if err != nil {
		t.Fatal(err)
	}
	return keys.AcceptNew(remote.NewRecorder(path))
}

func read(t testing.TB, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func TestAcceptNew(t *testing.T) {
	noLeak(t)
	server := newServer(t, sshtest.Options{})
	file := filepath.Join(t.TempDir(), ".ssh", "known_hosts")
	o := options(t, server)
	o.HostKeys = acceptNew(t, file)
	dial(t, o)
	if got := read(t, file); got != server.KnownHostsLine() {
		t.Errorf("the file holds %q, want %q", got, server.KnownHostsLine())
	}
	if info, err := os.Stat(file); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("its mode is %v, %v", info.Mode(), err)
	}
	dial(t, o) // by what is in memory, where it is still unknown
	recorded := server.KnownHostsLine()

	// A key that changed is refused, whether the change is seen at once or after the file was read again.
	server.SetHostKeys(newKey(t))
	for range 2 {
		_, err := remote.Dial(within(t), o)
		want{failure.Handshake, failure.HostKeyChanged, []string{file}, []string{"muster trust --replace web1"}}.check(t, err)
		o.HostKeys = acceptNew(t, file)
	}
	if got := read(t, file); got != recorded {
		t.Errorf("the file holds %q, want %q", got, recorded)
	}
}

func TestAcceptNewRefuses(t *testing.T) {
	noLeak(t)
	key := newKey(t)
	server := newServer(t, sshtest.Options{HostKeys: []ssh.Signer{key}})
	name := xknownhosts.Normalize(address(server))
	for _, c := range []struct {
		name, content string
		want          failure.Kind
	}{
		{"a revoked key", line("@revoked *", key), failure.HostKeyRevoked},
		{"another key", line(name, newKey(t)), failure.HostKeyChanged},
		{"a host without the certificate it should have", line("@cert-authority *", newKey(t)), failure.HostKeyUnknown},
		{"another type", line(name, hostKey(t, ssh.KeyAlgoECDSA256)), failure.HostKeyChanged},
		{"not the key of another port", line("127.0.0.1", newKey(t)), ""},
		{"not that of another type on another port", line("127.0.0.1", hostKey(t, ssh.KeyAlgoECDSA256)), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := writeFile(t, "known_hosts", c.content, 0o600)
			o := options(t, server)
			o.HostKeys = acceptNew(t, file)
			if c.want == "" {
				dial(t, o)
				return
			}
			_, err := remote.Dial(within(t), o)
			want{failure.Handshake, c.want, nil, nil}.check(t, err)
			if got := read(t, file); got != c.content {
				t.Errorf("the file holds %q", got)
			}
		})
	}
}

func TestAcceptNewWhereNothingCanBeWritten(t *testing.T) {
	server := newServer(t, sshtest.Options{})
	o := options(t, server)
	file := filepath.Join(t.TempDir(), "known_hosts")
	if err := os.Mkdir(file+".lock", 0o700); err != nil { // in the way
		t.Fatal(err)
	}
	o.HostKeys = acceptNew(t, file)
	_, err := remote.Dial(within(t), o)
	want{failure.Handshake, failure.Configuration, []string{"record a host's key"}, []string{"known-hosts="}}.check(t, err)
}

func TestPinnedKeys(t *testing.T) {
	noLeak(t)
	rsa, ed := hostKey(t, ssh.KeyAlgoRSA), newKey(t)
	server := newServer(t, sshtest.Options{HostKeys: []ssh.Signer{ed, rsa}})
	o := options(t, server)
	for name, fingerprints := range map[string][]string{
		"the first":     {ssh.FingerprintSHA256(ed.PublicKey())},
		"another type":  {ssh.FingerprintSHA256(rsa.PublicKey())},
		"one of two":    {"SHA256:nothing", ssh.FingerprintSHA256(ed.PublicKey())},
		"with its fill": {ssh.FingerprintSHA256(ed.PublicKey()) + "="},
	} {
		t.Run(name, func(t *testing.T) {
			o.HostKeys = remote.PinHostKeys(fingerprints...)
			dial(t, o)
		})
	}
	o.HostKeys = remote.PinHostKeys(ssh.FingerprintSHA256(newKey(t).PublicKey()))
	_, err := remote.Dial(within(t), o)
	want{failure.Handshake, failure.HostKeyChanged,
		[]string{ssh.FingerprintSHA256(ed.PublicKey()), "pins another"}, []string{"fingerprint="}}.check(t, err)

	// The login that fails behind a key found at the second try is the login's failure.
	o.HostKeys, o.Password = remote.PinHostKeys(ssh.FingerprintSHA256(rsa.PublicKey())), "wrong"
	_, err = remote.Dial(within(t), o)
	want{failure.Authentication, failure.LoginFailed, nil, nil}.check(t, err)
}

func TestKnownAs(t *testing.T) {
	noLeak(t)
	authority, key := newKey(t), newKey(t)
	server := newServer(t, sshtest.Options{HostKeys: []ssh.Signer{key}})
	o := options(t, server)
	o.KnownAs, o.HostKeys = "Web1.example.org", knownHosts(t, line("web1.example.org", key))
	dial(t, o)
	server.SetHostKeys(certify(t, authority, newKey(t), "web1.example.org", never()))
	o.HostKeys = knownHosts(t, line("@cert-authority *.example.org", authority))
	dial(t, o)
	o.KnownAs = ""
	server.SetHostKeys(key)
	_, err := remote.Dial(within(t), o)
	want{failure.Handshake, failure.HostKeyUnknown, nil, nil}.check(t, err)
}
