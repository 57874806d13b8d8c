package remote

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"muster/internal/failure"
	"muster/internal/testserver"
)

// opensshFinds tells whether ssh-keygen finds a name in known_hosts of this content.
func opensshFinds(t *testing.T, keygen, name, content string) bool {
	t.Helper()
	file := filepath.Join(t.TempDir(), "known_hosts")
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return exec.CommandContext(t.Context(), keygen, "-F", name, "-f", file).Run() == nil
}

// TestKnownHostsPort22 spells out port 22, which ssh never does itself. Where we find what it does not, it is because a
// name without wildcards can mean nothing else.
func TestKnownHostsPort22(t *testing.T) {
	keygen := testserver.Need(t, "ssh-keygen", "openssh-client")
	key := string(ssh.MarshalAuthorizedKey(testKey(t, 1)))
	for _, c := range []struct {
		patterns, name string
		want, openssh  bool
	}{
		{"[web1]:22", "web1", true, false},
		{"[WEB1]:22", "web1", true, false},
		{"[::1]:22", "::1", true, false},
		{"[web1]:22", "[web1]:2222", false, false},
		{"[*.example.org]:22,![bad.example.org]:22", "bad.example.org", false, false},
		{"[*.example.org]:22,![bad.example.org]:22", "good.example.org", false, false},
		{"[*]:22", "[web1]:2222", false, false},
		{"[*]:22", "web1", false, false},
		{"[web?]:22", "web1", false, false},
		{"[web1]:22,![web1]:22", "web1", false, false},
		{"[web1]:22,![WEB*]:22", "web1", false, false},
		{"[web1]:22,![*]:22", "web1", false, false},
		{"web*,![web1]:22", "web1", false, true},
		{"web*,![web1]:22", "web2", true, true},
		{"*,![*]:22", "[web1]:2222", true, true},
		{"*,![*]:2222", "[web1]:2222", false, false},
		{"*,![*]:2222", "web1", true, true},
		{"*,!web1", "[web1]:2222", true, true},
	} {
		content := c.patterns + " " + key
		lines := newKnownHosts()
		if err := lines.add("file", []byte(content)); err != nil {
			t.Fatal(err)
		}
		if got := len(lines.find(c.name)) == 1; got != c.want {
			t.Errorf("%s holds for %s: %v", c.patterns, c.name, got)
		}
		if got := opensshFinds(t, keygen, c.name, content); got != c.openssh {
			t.Errorf("for OpenSSH, %s holds for %s: %v", c.patterns, c.name, got)
		}
	}
}

// keyOf returns a key's text, of a type that it says it has and of the one in it.
func keyOf(stated, inside string) string {
	blob := ssh.Marshal(struct{ Type, Rest string }{inside, strings.Repeat("x", 32)})
	return stated + " " + base64.StdEncoding.EncodeToString(blob) + "\n"
}

// TestKnownHostsOfForeignTypes: keys of types that only others know do no harm to the lines beside them.
func TestKnownHostsOfForeignTypes(t *testing.T) {
	keygen := testserver.Need(t, "ssh-keygen", "openssh-client")
	const foreign = "ssh-tomorrow@example.org"
	good := string(ssh.MarshalAuthorizedKey(testKey(t, 1)))
	for _, strange := range []string{
		"web1 " + keyOf(foreign, foreign),
		"@revoked * " + keyOf(foreign, foreign),
		"@cert-authority\t*\t" + keyOf(foreign, foreign),
		"web1 " + strings.TrimSpace(keyOf(foreign, foreign)) + " a comment\n",
	} {
		lines := newKnownHosts()
		if err := lines.add("file", []byte(strange+"web1 "+good)); err != nil {
			t.Errorf("%q: %v", strange, err)
			continue
		}
		if found := lines.find("web1"); len(found) != 1 || found[0].line != 2 {
			t.Errorf("%q: found %v, want line 2 alone", strange, found)
		}
		if !opensshFinds(t, keygen, "web1", strange+"web1 "+good) {
			t.Errorf("%q: OpenSSH finds nothing", strange)
		}
	}
	for _, broken := range []string{
		"web1 " + keyOf(ssh.KeyAlgoED25519, ssh.KeyAlgoED25519)[:60] + "\n", // cut short
		"@revoked * " + keyOf(ssh.KeyAlgoRSA, ssh.KeyAlgoRSA),
		"web1 " + keyOf(foreign, ssh.KeyAlgoED25519),
		"web1 " + keyOf(ssh.KeyAlgoED25519, foreign),
		"@nonsense web1 " + keyOf(foreign, foreign),
		"web1 " + foreign + "\n", "web1 " + foreign + " AAAA\n", "web1 " + foreign + " %%%\n",
		"web1 " + strings.Replace(good, "ssh-", "sh-", 1), // a slip of the keyboard
	} {
		err := newKnownHosts().add("file", []byte("web1 "+good+broken))
		if err == nil || !strings.HasPrefix(err.Error(), "file:2: ") {
			t.Errorf("%q: %v, want that line 2 is refused", broken, err)
		}
	}
}

// testSigner returns the private key of a number, as testKey does the public one.
func testSigner(t *testing.T, number int) ssh.Signer {
	t.Helper()
	seed := sha256.Sum256(fmt.Append(nil, number))
	signer, err := ssh.NewSignerFromKey(ed25519.NewKeyFromSeed(seed[:]))
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

// certified returns a certificate of a key for web1, good for an hour.
func certified(t *testing.T, key, authority int) ssh.PublicKey {
	t.Helper()
	certificate := &ssh.Certificate{
		Key: testKey(t, key), CertType: ssh.HostCert, ValidPrincipals: []string{"web1"},
		ValidBefore: uint64(time.Now().Add(time.Hour).Unix()),
	}
	if err := certificate.SignCert(rand.Reader, testSigner(t, authority)); err != nil {
		t.Fatal(err)
	}
	return certificate
}

// TestHostKeysBesideAuthorities: an authority is one way for a host to prove itself, and its own key another. Key 1 is the
// host's, key 2 the authority's, and key 3 a stranger's.
func TestHostKeysBesideAuthorities(t *testing.T) {
	text := func(number int) string { return " " + string(ssh.MarshalAuthorizedKey(testKey(t, number))) }
	everywhere := "@cert-authority *" + text(2)
	for _, c := range []struct {
		name, content, address string
		key                    ssh.PublicKey
		want                   failure.Kind
	}{
		{"a plain key", everywhere + "web1" + text(1), "web1:22", testKey(t, 1), ""},
		{"a plain key, another port", everywhere + "web1" + text(1), "web1:2222", testKey(t, 1), ""},
		{"another plain key", everywhere + "web1" + text(1), "web1:22", testKey(t, 3), failure.HostKeyChanged},
		{"another plain key, another port", everywhere + "web1" + text(1), "web1:2222", testKey(t, 3), failure.HostKeyUnknown},
		{"the key of the port counts", "web1" + text(3) + "[web1]:2222" + text(1), "web1:2222", testKey(t, 3), failure.HostKeyChanged},
		{"a certificate", everywhere + "web1" + text(3), "web1:22", certified(t, 1, 2), ""},
		{"a certificate, another port", "@cert-authority web1" + text(2), "web1:2222", certified(t, 1, 2), ""},
		{"beside a key of the port", "@cert-authority web1" + text(2) + "[web1]:2222" + text(3), "web1:2222", certified(t, 1, 2), ""},
		{"a stranger's certificate", everywhere, "web1:22", certified(t, 1, 3), failure.HostKeyUnknown},
		{"a stranger's certificate of the known key", everywhere + "web1" + text(1), "web1:22", certified(t, 1, 3), ""},
		{"the same of a revoked key", everywhere + "web1" + text(1) + "@revoked *" + text(1), "web1:22", certified(t, 1, 3),
			failure.HostKeyRevoked},
		{"an authority is no key", everywhere, "web1:22", testKey(t, 2), failure.HostKeyUnknown},
		{"a key is no authority", everywhere + "web1" + text(3), "web1:22", certified(t, 1, 3), failure.HostKeyUnknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := &HostKeys{files: []string{"file"}, lines: newKnownHosts(), known: make(map[string]*knownHost)}
			if err := h.lines.add("file", []byte(c.content)); err != nil {
				t.Fatal(err)
			}
			if c.want == "" && !slices.Contains(h.algorithms(c.address), c.key.Type()) {
				t.Errorf("the host is asked for %v, not for %s", h.algorithms(c.address), c.key.Type())
			}
			got := h.check(c.address, &net.TCPAddr{}, c.key)
			if c.want == "" && got != nil {
				t.Errorf("refused: %v", got)
			} else if c.want != "" && (got == nil || got.Kind != c.want) {
				t.Errorf("got %v, want %s", got, c.want)
			}
		})
	}
}

// TestHostKeyOfAnotherPortIsNotShown: the key of another port does not have to be this one's too.
func TestHostKeyOfAnotherPortIsNotShown(t *testing.T) {
	h := &HostKeys{files: []string{"file"}, lines: newKnownHosts(), known: make(map[string]*knownHost)}
	if err := h.lines.add("file", []byte("web1 "+string(ssh.MarshalAuthorizedKey(testKey(t, 1))))); err != nil {
		t.Fatal(err)
	}
	if got := h.notShown("web1:2222", []string{ssh.KeyAlgoRSASHA512}); got.Kind != failure.HostKeyUnknown {
		t.Errorf("at another port: %v, want that the host is unknown", got)
	}
	if got := h.notShown("web1:22", []string{ssh.KeyAlgoRSASHA512}); got.Kind != failure.HostKeyChanged {
		t.Errorf("at its port: %v, want that the key changed", got)
	}
}
