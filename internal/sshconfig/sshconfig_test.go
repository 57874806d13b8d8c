package sshconfig_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"muster/internal/sshconfig"
)

// load writes a file and reads it.
func load(t testing.TB, content string) (*sshconfig.Config, error) {
	t.Helper()
	home := t.TempDir()
	path := filepath.Join(home, "config")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return sshconfig.Load(path, sshconfig.Options{Home: home})
}

func mustLoad(t testing.TB, content string) *sshconfig.Config {
	t.Helper()
	config, err := load(t, content)
	if err != nil {
		t.Fatal(err)
	}
	return config
}

// TestWhatIsNotDone looks at each keyword that would lead elsewhere.
func TestWhatIsNotDone(t *testing.T) {
	const fatal, warning, silent = "fatal", "warning", "silent"
	for content, want := range map[string]string{
		"ProxyCommand nc %h %p":                        fatal,
		"ProxyCommand none":                            silent,
		"ProxyJump b\nProxyCommand nc %h %p":           silent,
		"Match exec true\nUser x":                      fatal,
		"Match host other exec true\nUser x":           silent,
		"Match host web1 exec \"test -f /a\"\n User x": fatal,
		"Match localnetwork 10.0.0.0/8\nUser x":        fatal,
		"CanonicalizeHostname yes":                     fatal,
		"CanonicalizeHostname no":                      silent,
		"RevokedHostKeys /etc/revoked":                 fatal,
		"Port none":                                    fatal,
		"Port 22\nPort none":                           silent,
		"PreferredAuthentications password":            warning,
		"PubkeyAuthentication no":                      warning,
		"BindAddress 10.0.0.1":                         warning,
		"AddressFamily inet6":                          warning,
		"AddressFamily any":                            silent,
		"KexAlgorithms +diffie-hellman-group1-sha1":    warning,
		"Prxoyjump b":                                  warning,
		"IgnoreUnknown Prx*,x\nPrxoyjump b":            silent,
		"ForwardAgent yes\nControlMaster auto\nCompression yes\nUseKeychain yes": silent,
		"Host other\nProxyCommand nc %h %p":                                      silent,
	} {
		t.Run(content, func(t *testing.T) {
			got := silent
			for _, p := range mustLoad(t, content).Resolve(sshconfig.Query{Host: "web1"}).Problems {
				got = warning
				if p.Fatal {
					got = fatal
				}
				if p.Line == 0 || !strings.HasSuffix(p.File, "config") || p.Text == "" {
					t.Errorf("got %s", p)
				}
			}
			if got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

func TestWhatCanNotBeRead(t *testing.T) {
	for content, want := range map[string]string{
		"Host web1\n User \"ops": "config:2: a quote is not closed",
		"User":                   "config:1: \"User\" says nothing",
		"Host":                   "config:1: \"Host\" says nothing",
		"\nMatch host":           "config:2: host of Match says nothing",
		"Match all host x":       "config:1: all stands alone in a Match",
		"Include config":         "",
	} {
		_, err := load(t, content)
		if want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: got %v, want %q", content, err, want)
		}
	}
	home := t.TempDir()
	path := filepath.Join(home, "config")
	if err := os.WriteFile(path, []byte("Include "+path), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := sshconfig.Load(path, sshconfig.Options{Home: home}); err == nil || !strings.Contains(err.Error(), "too deeply") {
		t.Errorf("a file that includes itself: %v", err)
	}
	if _, err := sshconfig.Load(filepath.Join(home, "none"), sshconfig.Options{}); !os.IsNotExist(err) && !strings.Contains(err.Error(), "no such file") {
		t.Errorf("got %v", err)
	}
}

func TestIncludesFromTheHome(t *testing.T) {
	home := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(home, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	path := write("elsewhere/config", "Include conf.d/*\nInclude ~/own\n")
	write(".ssh/conf.d/20", "User second\nPort 20\n")
	write(".ssh/conf.d/10", "Host web*\n User first\n")
	write("own", "HostKeyAlias own\n")
	config, err := sshconfig.Load(path, sshconfig.Options{Home: home})
	if err != nil {
		t.Fatal(err)
	}
	got := config.Resolve(sshconfig.Query{Host: "web1"})
	if got.User != "first" || got.Port != 20 || got.HostKeyAlias != "own" {
		t.Errorf("got %+v", got)
	}
	if got = config.Resolve(sshconfig.Query{Host: "db1"}); got.User != "second" {
		t.Errorf("got %+v", got)
	}
}

func TestExpand(t *testing.T) {
	tokens := sshconfig.Tokens{
		Home: "/home/me", Host: "web1", HostName: "10.0.0.1", Port: 2222, User: "ops", LocalUser: "me", LocalHost: "here.example.org",
		LookupEnv: func(name string) (string, bool) { return "/keys", name == "KEYS" },
	}
	for path, want := range map[string]string{
		"~/.ssh/%r@%h":     "/home/me/.ssh/ops@10.0.0.1",
		"%d/%n-%p-%u%%":    "/home/me/web1-2222-me%",
		"${KEYS}/%k/%l/%L": "/keys/web1/here.example.org/here",
		"~":                "/home/me",
		"/a//b":            "/a/b",
	} {
		if got, err := tokens.Expand(path); err != nil || got != want {
			t.Errorf("%s: got %q, %v; want %q", path, got, err, want)
		}
	}
	for _, path := range []string{"~root/key", "%C", "/a%", "${NONE}/x", "${KEYS", "key", "%Z"} {
		if got, err := tokens.Expand(path); err == nil {
			t.Errorf("%s: got %q", path, got)
		}
	}
}

func FuzzLoad(f *testing.F) {
	f.Add("Host web* !web2\n HostName %h.example.org\nMatch host a,!b user \"x y\"\nProxyJump a,b # c\nInclude x\n")
	f.Add("User = \"a\\\"b\" 'c' #d\n")
	f.Fuzz(func(t *testing.T, content string) {
		config, err := sshconfig.Load("config", sshconfig.Options{
			ReadFile: func(string) ([]byte, error) { return []byte(content), nil },
			Glob:     func(string) ([]string, error) { return nil, nil },
		})
		if err != nil {
			return
		}
		first := fmt.Sprint(config.Resolve(sshconfig.Query{Host: "web1"}))
		if again := fmt.Sprint(config.Resolve(sshconfig.Query{Host: "web1"})); again != first {
			t.Errorf("got %s and %s", first, again)
		}
	})
}

// BenchmarkResolve is one of 10,000 hosts that have a block each, with patterns for groups of them and for all.
func BenchmarkResolve(b *testing.B) {
	var content strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&content, "Host web%d\n HostName 10.0.%d.%d\n IdentityFile ~/.ssh/web\n", i, i/250, i%250)
	}
	for i := range 50 {
		fmt.Fprintf(&content, "Host web%d*\n User ops%d\nMatch host 10.0.%d.*\n ProxyJump bastion\n", i, i, i)
	}
	config := mustLoad(b, content.String())
	i := 0
	for b.Loop() {
		i = (i + 7919) % 10_000
		if got := config.Resolve(sshconfig.Query{Host: fmt.Sprintf("web%d", i)}); !slices.Equal(got.IdentityFiles, []string{"~/.ssh/web"}) {
			b.Fatal(got)
		}
	}
}

// BenchmarkResolveAmongPatterns is the same with nothing that an index could find.
func BenchmarkResolveAmongPatterns(b *testing.B) {
	var content strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&content, "Host web%d*\n HostName 10.0.%d.%d\n", i, i/250, i%250)
	}
	config := mustLoad(b, content.String())
	for b.Loop() {
		config.Resolve(sshconfig.Query{Host: "web9999"})
	}
}
