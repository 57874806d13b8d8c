package remote

import (
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	xknownhosts "golang.org/x/crypto/ssh/knownhosts"

	"muster/internal/testserver"
	"muster/internal/wildcard"
)

func TestMatchPattern(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"", "", true}, {"", "a", false}, {"a", "", false}, {"*", "", true}, {"?", "", false},
		{"web1", "web1", true}, {"web1", "web12", false}, {"web12", "web1", false},
		{"web?", "web1", true}, {"web?", "web", false}, {"web?", "web12", false},
		{"*.example.org", "a.b.example.org", true}, {"*.example.org", "example.org", false},
		{"a*b*c", "aXbYc", true}, {"a*b*c", "aXbYcZ", false}, {"a*b*c", "abbbcc", true}, {"a**c", "ac", true},
		{"*a", "aaab", false}, {"*a", "baaa", true}, {"192.168.?.*", "192.168.1.77", true},
		{"[*]:2222", "[web1]:2222", true}, {"[*]:2222", "[web1]:22222", false},
		{"w[ab]", "wa", false}, {`w\*`, "w*", false},
	} {
		if got := wildcard.Match(c.pattern, c.name); got != c.want {
			t.Errorf("%q against %q: %v", c.pattern, c.name, got)
		}
	}
	// Many stars must not take for ever.
	if wildcard.Match(strings.Repeat("*a", 200)+"b", strings.Repeat("a", 2000)) {
		t.Error("a match without a b")
	}
}

// testKey returns the public key of a number.
func testKey(t testing.TB, number int) ssh.PublicKey {
	t.Helper()
	seed := sha256.Sum256(fmt.Append(nil, number))
	key, err := ssh.NewPublicKey(ed25519.NewKeyFromSeed(seed[:]).Public())
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// randomPatterns makes up what stands in front of a key.
func randomPatterns(random *rand.Rand) string {
	names := []string{"a", "b", "ab", "a.b", "*", "a*", "?", "*b", "!a", "!b", "!*b", "[a]:23", "[*]:23", "[::1]:23", "::1"}
	switch random.IntN(4) {
	case 0:
		return xknownhosts.HashHostname([]string{"a", "b", "[a]:23", "::1"}[random.IntN(4)])
	case 1:
		return names[random.IntN(4)]
	}
	chosen := make([]string, 1+random.IntN(3))
	for i := range chosen {
		chosen[i] = names[random.IntN(len(names))]
	}
	return strings.Join(chosen, ",")
}

// TestKnownHostsAgreesWithOpenSSH looks names up in made-up files, in our index and with ssh-keygen.
func TestKnownHostsAgreesWithOpenSSH(t *testing.T) {
	keygen := testserver.Need(t, "ssh-keygen", "openssh-client")
	random := rand.New(rand.NewPCG(1, 2))
	file := filepath.Join(t.TempDir(), "known_hosts")
	found := regexp.MustCompile(`found: line (\d+)`)
	matches := 0
	for range 12 {
		var content strings.Builder
		for i := range 40 {
			fmt.Fprintf(&content, "%s %s", randomPatterns(random), ssh.MarshalAuthorizedKey(testKey(t, i)))
		}
		if err := os.WriteFile(file, []byte(content.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		lines := newKnownHosts()
		if err := lines.add(file, []byte(content.String())); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"a", "b", "ab", "a.b", "ba", "c", "::1", "[a]:23", "[c]:23", "[::1]:23"} {
			var got, want []string
			for _, l := range lines.find(name) {
				got = append(got, strconv.Itoa(l.line))
			}
			// Its exit status says only whether anything was found.
			output, _ := exec.CommandContext(t.Context(), keygen, "-F", name, "-f", file).Output()
			for _, match := range found.FindAllStringSubmatch(string(output), -1) {
				want = append(want, match[1])
			}
			if !slices.Equal(got, want) {
				t.Fatalf("%s is in the lines %v, for ssh-keygen in %v:\n%s", name, got, want, content.String())
			}
			matches += len(want)
		}
	}
	if matches < 100 {
		t.Errorf("only %d matches: this compares nothing", matches)
	}
}

// FuzzKnownHosts reads any content: it is understood, or the line that is not is named.
func FuzzKnownHosts(f *testing.F) {
	key := string(ssh.MarshalAuthorizedKey(testKey(f, 1)))
	for _, seed := range []string{
		"", "\n# nothing\n", "web1 " + key, "@revoked * " + key, "@cert-authority *.example.org " + key,
		xknownhosts.HashHostname("web1") + " " + key, "|1|x|y " + key, "|2|| " + key, "@nonsense web1 " + key,
		"web1", "web1 ssh-ed25519", "web1 ssh-ed25519 AAAA", "web1 ssh-rsa" + strings.TrimPrefix(key, "ssh-ed25519"),
		"!, " + key, "[web1]:22,[web2 " + key, "web1 " + strings.TrimSpace(key) + " a comment\r\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		lines := newKnownHosts()
		if err := lines.add("file", content); err != nil {
			if !strings.HasPrefix(err.Error(), "file:") {
				t.Errorf("no line is named: %v", err)
			}
			return
		}
		for _, name := range []string{"web1", "[web1]:2222", ""} {
			for _, l := range lines.find(name) {
				if l.key == nil || l.line < 1 {
					t.Errorf("%s: %+v", name, l)
				}
			}
		}
	})
}

func TestKnownHostsFindsEachLineOnceAndInOrder(t *testing.T) {
	key := string(ssh.MarshalAuthorizedKey(testKey(t, 1)))
	lines := newKnownHosts()
	content := "*1 " + key + "WEB1,web1,[web1]:22 " + key + "# nothing\n\n[web1]:2222 " + key + "web1 " + key
	if err := lines.add("one", []byte(content)); err != nil {
		t.Fatal(err)
	}
	if err := lines.add("two", []byte("web? "+key)); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, l := range lines.find("web1") {
		got = append(got, fmt.Sprint(l.file, ":", l.line))
	}
	if want := []string{"one:1", "one:2", "one:6", "two:1"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
