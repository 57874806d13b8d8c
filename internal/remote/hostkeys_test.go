package remote_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	xknownhosts "golang.org/x/crypto/ssh/knownhosts"

	"muster/internal/failure"
	"muster/internal/remote"
	"muster/internal/sshtest"
)

// hostKey generates a host key of a type.
func hostKey(t testing.TB, kind string) ssh.Signer {
	t.Helper()
	var private any
	var err error
	switch kind {
	case ssh.KeyAlgoED25519:
		return newKey(t)
	case ssh.KeyAlgoECDSA256:
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case ssh.KeyAlgoRSA:
		private, err = rsa.GenerateKey(rand.Reader, 2048)
	}
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

func address(s *sshtest.Server) string { return s.Addr().String() }

// line is a line of known_hosts.
func line(pattern string, key ssh.Signer) string {
	return pattern + " " + string(ssh.MarshalAuthorizedKey(key.PublicKey()))
}

func TestHostKeysThatAreKnown(t *testing.T) {
	key, other := newKey(t), newKey(t)
	server := newServer(t, sshtest.Options{HostKeys: []ssh.Signer{key}})
	bracketed := xknownhosts.Normalize(address(server))
	for name, content := range map[string]string{
		"by address and port":     line(bracketed, key),
		"by a hashed name":        line(xknownhosts.HashHostname(bracketed), key),
		"among other names":       line("web2,"+bracketed+",[web3]:22", key),
		"by a pattern":            line("[127.0.0.*]:"+strconv.Itoa(server.Addr().Port), key),
		"by a pattern, any port":  line("127.*", key),
		"by address alone":        line("127.0.0.1", key),
		"with an empty exclusion": line("!,!web2,*", key),
		"one of several keys":     line(bracketed, other) + line(bracketed, key),
		"after a comment":         "# mine\n\n" + line(bracketed, key),
		"with line ends of DOS":   strings.ReplaceAll(line(bracketed, key), "\n", "\r\n"),
		"beside a revoked key":    line("@revoked *", other) + line(bracketed, key),
		"beside other hosts' key": line("web2", other) + line(bracketed, key),
	} {
		t.Run(name, func(t *testing.T) {
			o := options(t, server)
			o.HostKeys = knownHosts(t, content)
			dial(t, o)
		})
	}
}

func TestHostKeysAreFoundByNameInWhateverCase(t *testing.T) {
	server := newServer(t, sshtest.Options{})
	o := options(t, server)
	o.Address = "LocalHost"
	o.HostKeys = knownHosts(t, strings.ReplaceAll(server.KnownHostsLine(), "127.0.0.1", "localhost"))
	dial(t, o)
}

// TestHostKeyOfTheKnownTypeIsAskedFor has a host with keys of several types, of which only one is known, and not the one
// that SSH would choose by itself.
func TestHostKeyOfTheKnownTypeIsAskedFor(t *testing.T) {
	keys := []ssh.Signer{hostKey(t, ssh.KeyAlgoED25519), hostKey(t, ssh.KeyAlgoECDSA256), hostKey(t, ssh.KeyAlgoRSA)}
	server := newServer(t, sshtest.Options{HostKeys: keys})
	for _, key := range keys {
		t.Run(key.PublicKey().Type(), func(t *testing.T) {
			o := options(t, server)
			o.HostKeys = knownHosts(t, line(xknownhosts.Normalize(address(server)), key))
			dial(t, o)
		})
	}
}

func TestHostKeyThatIsUnknown(t *testing.T) {
	noLeak(t)
	key := newKey(t)
	server := newServer(t, sshtest.Options{HostKeys: []ssh.Signer{key, hostKey(t, ssh.KeyAlgoECDSA256)}})
	for name, content := range map[string]string{
		"nothing is known":       "",
		"another port is known":  line("[127.0.0.1]:1", key),
		"another key at port 22": line("127.0.0.1", newKey(t)),
		"the host is excepted":   line(fmt.Sprintf("[127.0.0.*]:%d,!%s", server.Addr().Port, xknownhosts.Normalize(address(server))), key),
		"another name is hashed": line(xknownhosts.HashHostname("web1"), key),
	} {
		t.Run(name, func(t *testing.T) {
			o := options(t, server)
			o.HostKeys = knownHosts(t, content)
			_, err := remote.Dial(within(t), o)
			want{failure.Handshake, failure.HostKeyUnknown,
				[]string{"ed25519 key", ssh.FingerprintSHA256(key.PublicKey())},
				[]string{"ssh-keygen -lf", "muster trust web1"}}.check(t, err)
		})
	}
}

func TestHostKeyThatChanged(t *testing.T) {
	noLeak(t)
	server := newServer(t, sshtest.Options{})
	o := options(t, server)
	var file string
	before := "# a comment\n" + server.KnownHostsLine()
	o.HostKeys, file = knownHostsFile(t, before)
	known, _, _, _, err := ssh.ParseAuthorizedKey([]byte(strings.SplitN(server.KnownHostsLine(), " ", 2)[1]))
	if err != nil {
		t.Fatal(err)
	}
	dial(t, o)

	now := newKey(t)
	server.SetHostKeys(now)
	_, err = remote.Dial(within(t), o)
	want{failure.Handshake, failure.HostKeyChanged,
		[]string{ssh.FingerprintSHA256(now.PublicKey()), ssh.FingerprintSHA256(known), file + ":2"},
		[]string{"muster trust --replace web1"}}.check(t, err)

	// A key of another type altogether is no better, and is not taken for a host without a common algorithm.
	server.SetHostKeys(hostKey(t, ssh.KeyAlgoECDSA256))
	_, err = remote.Dial(within(t), o)
	want{failure.Handshake, failure.HostKeyChanged,
		[]string{ssh.FingerprintSHA256(known), ssh.KeyAlgoECDSA256}, []string{"muster trust --replace web1"}}.check(t, err)
}

func TestHostKeyThatIsRevoked(t *testing.T) {
	noLeak(t)
	key := newKey(t)
	server := newServer(t, sshtest.Options{HostKeys: []ssh.Signer{key}})
	o := options(t, server)
	var file string
	o.HostKeys, file = knownHostsFile(t, server.KnownHostsLine()+line("@revoked *", key))
	_, err := remote.Dial(within(t), o)
	want{failure.Handshake, failure.HostKeyRevoked,
		[]string{file + ":2", ssh.FingerprintSHA256(key.PublicKey())}, []string{"@revoked"}}.check(t, err)
}

// certify makes a host certificate.
func certify(t testing.TB, authority, key ssh.Signer, name string, until time.Time) ssh.Signer {
	t.Helper()
	certificate := &ssh.Certificate{
		Key: key.PublicKey(), CertType: ssh.HostCert, KeyId: "web1", ValidPrincipals: []string{name},
		ValidBefore: uint64(until.Unix()),
	}
	if err := certificate.SignCert(rand.Reader, authority); err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewCertSigner(certificate, key)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

func TestHostCertificates(t *testing.T) {
	noLeak(t)
	authority, other, key := newKey(t), newKey(t), newKey(t)
	later, earlier := time.Now().Add(time.Hour), time.Now().Add(-time.Hour)
	valid := certify(t, authority, key, "127.0.0.1", later)
	server := newServer(t, sshtest.Options{HostKeys: []ssh.Signer{valid}})
	trust := line("@cert-authority 127.0.0.1,[127.0.0.1]:*,*", authority)
	o := options(t, server)
	o.HostKeys = knownHosts(t, trust)
	dial(t, o)

	for _, c := range []struct {
		name    string
		shown   ssh.Signer
		content string
		want    want
	}{
		{"expired", certify(t, authority, key, "127.0.0.1", earlier), trust,
			want{failure.Handshake, failure.HostKeyUnknown, []string{"expired"}, []string{"renew"}}},
		{"another host's", certify(t, authority, key, "web2", later), trust,
			want{failure.Handshake, failure.HostKeyUnknown, []string{"principal"}, []string{"renew"}}},
		{"of a stranger", certify(t, other, key, "127.0.0.1", later), trust,
			want{failure.Handshake, failure.HostKeyUnknown, []string{"authorit"}, []string{"@cert-authority"}}},
		{"of a revoked authority", valid, trust + line("@revoked *", authority),
			want{failure.Handshake, failure.HostKeyRevoked, []string{":2 marks"}, nil}},
		{"of a revoked key", valid, trust + line("@revoked *", key),
			want{failure.Handshake, failure.HostKeyRevoked, []string{":2 marks"}, nil}},
	} {
		t.Run(c.name, func(t *testing.T) {
			server.SetHostKeys(c.shown)
			o := options(t, server)
			o.HostKeys = knownHosts(t, c.content)
			_, err := remote.Dial(within(t), o)
			c.want.check(t, err)
		})
	}
}

func TestHostWithoutTheCertificateThatItShouldHave(t *testing.T) {
	noLeak(t)
	authority := newKey(t)
	o := options(t, newServer(t, sshtest.Options{}))
	o.HostKeys = knownHosts(t, line("@cert-authority *", authority))
	_, err := remote.Dial(within(t), o)
	want{failure.Handshake, failure.HostKeyUnknown,
		[]string{ssh.FingerprintSHA256(authority.PublicKey()), "no certificate", ssh.KeyAlgoED25519},
		[]string{"HostCertificate"}}.check(t, err)
}

func TestHostKeysServeManyDialsAtOnce(t *testing.T) {
	noLeak(t)
	good, bad := newServer(t, sshtest.Options{}), newServer(t, sshtest.Options{})
	keys := knownHosts(t, good.KnownHostsLine()+line(xknownhosts.Normalize(address(bad)), newKey(t)))
	var dials sync.WaitGroup
	for i := range 60 {
		o := options(t, good)
		if i%3 == 0 {
			o.Port = bad.Addr().Port
		}
		o.HostKeys = keys
		dials.Go(func() {
			conn, err := remote.Dial(within(t), o)
			if i%3 == 0 {
				if kind := failure.From("", err).Kind; kind != failure.HostKeyChanged {
					t.Errorf("the wrong key gives %q: %v", kind, err)
				}
				return
			}
			if err != nil {
				t.Error(err)
				return
			}
			_ = conn.Close()
		})
	}
	dials.Wait()
}

func TestLoadHostKeys(t *testing.T) {
	key := newKey(t)
	good := writeFile(t, "known_hosts", line("web1", key), 0o600)
	missing := filepath.Join(t.TempDir(), "missing")
	if _, err := remote.LoadHostKeys(missing, good); err != nil {
		t.Errorf("one of two files is missing: %v", err)
	}
	broken := writeFile(t, "broken", line("web1", key)+"web2 ssh-ed25519 AAAA\n", 0o600)
	for _, c := range []struct {
		name  string
		paths []string
		want  want
	}{
		{"no file at all", nil, want{kind: failure.Configuration}},
		{"a folder", []string{t.TempDir()}, want{kind: failure.Configuration, says: []string{"not a file"}}},
		{"a line that is broken", []string{good, broken},
			want{kind: failure.Configuration, says: []string{broken + ":2"}, advice: []string{"line"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := remote.LoadHostKeys(c.paths...)
			c.want.check(t, err)
		})
	}
}

func TestNoKnownHostsFile(t *testing.T) {
	server := newServer(t, sshtest.Options{})
	file := filepath.Join(t.TempDir(), ".ssh", "known_hosts")
	keys, err := remote.LoadHostKeys(file, file+"2")
	if err != nil {
		t.Fatal(err)
	}
	o := options(t, server)
	o.HostKeys = keys
	_, err = remote.Dial(t.Context(), o)
	want{failure.Handshake, failure.HostKeyUnknown, []string{"no known_hosts file exists", file + "2", "SHA256:"},
		[]string{"muster trust web1"}}.check(t, err)
}

// BenchmarkKnownHosts is what one dial costs with ten thousand hosts in known_hosts: the first to a host, and the next.
func BenchmarkKnownHosts(b *testing.B) {
	key := newKey(b)
	for _, kind := range []string{"plain", "hashed"} {
		var content strings.Builder
		for i := range 10_000 {
			name := fmt.Sprintf("host%d.example.org", i)
			if kind == "hashed" {
				name = xknownhosts.HashHostname(name)
			}
			content.WriteString(line(name, key))
		}
		keys := knownHosts(b, content.String())
		remoteAddr := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 22}
		b.Run(kind+"/first", func(b *testing.B) {
			for i := range b.N {
				remote.CheckHostKey(keys, fmt.Sprintf("host%d.example.org:22", i%10_000), remoteAddr, key.PublicKey(), true)
			}
		})
		b.Run(kind+"/next", func(b *testing.B) {
			for range b.N {
				remote.CheckHostKey(keys, "host5000.example.org:22", remoteAddr, key.PublicKey(), false)
			}
		})
	}
}
