package controller

import (
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"muster/internal/config"
	"muster/internal/failure"
	"muster/internal/remote"
	"muster/internal/testserver"
)

// keys is a folder of keys and certificates that ssh-keygen has made.
type keys struct {
	t      *testing.T
	folder string
}

func newKeys(t *testing.T) *keys {
	t.Helper()
	return &keys{t, t.TempDir()}
}

func (k *keys) path(name string) string { return filepath.Join(k.folder, name) }

func (k *keys) run(args ...string) {
	k.t.Helper()
	program := testserver.Need(k.t, "ssh-keygen", "openssh-client")
	if output, err := exec.CommandContext(k.t.Context(), program, args...).CombinedOutput(); err != nil {
		k.t.Fatalf("ssh-keygen %v: %v: %s", args, err, output)
	}
}

// make makes a key.
func (k *keys) make(name, passphrase string) string {
	k.t.Helper()
	k.run("-q", "-t", "ed25519", "-N", passphrase, "-f", k.path(name))
	return k.path(name)
}

// certify makes a certificate beside a key.
func (k *keys) certify(authority, name, id string) string {
	k.t.Helper()
	k.run("-q", "-s", authority, "-I", id, "-n", "monitor", k.path(name)+".pub")
	return k.path(name) + "-cert.pub"
}

// host is a host of the configuration, with a known_hosts file that is empty.
func (k *keys) host() config.Host {
	known := k.path("known_hosts")
	if err := os.WriteFile(known, nil, 0o600); err != nil {
		k.t.Fatal(err)
	}
	return config.Host{Name: "web1", Address: "127.0.0.1", Port: 22, User: "monitor", KnownHosts: []string{known}}
}

func resolveOne(h *hosts, c config.Host) (signers []ssh.Signer, agent *remote.Agent, failed *failure.Error) {
	host, failed := h.pass().resolve(&c)
	return host.Signers, host.Agent, failed
}

// offered says what a host is offered: the type of each, certificates by their id.
func offered(signers []ssh.Signer) string {
	var all []string
	for _, s := range signers {
		if c, ok := s.PublicKey().(*ssh.Certificate); ok {
			all = append(all, c.KeyId)
			continue
		}
		all = append(all, "key")
	}
	return strings.Join(all, " ")
}

func TestAccessOrdersKeysAndCertificates(t *testing.T) {
	k := newKeys(t)
	ca := k.make("ca", "")
	first, second := k.make("first", ""), k.make("second", "phrase")
	k.certify(ca, "second", "beside")
	if err := os.Rename(k.certify(ca, "first", "named"), k.path("elsewhere")); err != nil {
		t.Fatal(err)
	}
	c := k.host()
	c.Keys, c.Certificates = []string{first, second}, []string{k.path("elsewhere")}
	c.Passphrase = config.NewSecret("phrase")
	h := newHosts(nil, nil, slog.New(slog.DiscardHandler))
	signers, _, failed := resolveOne(h, c)
	if failed != nil || offered(signers) != "named key beside key" {
		t.Fatalf("offered: %s, %v", offered(signers), failed)
	}

	// A certificate that is renewed counts from the next pass on, and the key is not opened anew for that.
	opened := signers[3]
	k.certify(ca, "second", "renewed")
	later := time.Now().Add(time.Minute)
	if err := os.Chtimes(k.path("second-cert.pub"), later, later); err != nil {
		t.Fatal(err)
	}
	signers, _, failed = resolveOne(h, c)
	if failed != nil || offered(signers) != "named key renewed key" || signers[3] != opened {
		t.Errorf("offered: %s, %v; the same key: %v", offered(signers), failed, signers[3] == opened)
	}
}

func TestAccessWithWhatCannotWork(t *testing.T) {
	k := newKeys(t)
	ca := k.make("ca", "")
	plain, encrypted := k.make("plain", ""), k.make("encrypted", "phrase")
	if err := os.Rename(k.certify(ca, "plain", "named"), k.path("certificate")); err != nil {
		t.Fatal(err)
	}
	public := k.make("gone", "")
	if err := os.Remove(public); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name   string
		change func(*config.Host)
		says   string
		agent  bool // with an agent it can
	}{
		{"a wrong passphrase", func(c *config.Host) {
			c.Keys = []string{encrypted}
			c.Passphrase = config.NewSecret("wrong")
		}, "passphrase is not right", false},
		{"no passphrase", func(c *config.Host) { c.Keys = []string{encrypted} }, "no passphrase is given", true},
		{"the public half alone", func(c *config.Host) { c.Keys = []string{public} }, "no such file", true},
		{"a public key", func(c *config.Host) { c.Keys = []string{plain + ".pub"} }, "is a public key", true},
		{"nothing at all", func(c *config.Host) { c.Keys = []string{k.path("none")} }, "no such file", false},
		{"a certificate of another key", func(c *config.Host) {
			c.Keys, c.Certificates = []string{ca}, []string{k.path("certificate")}
		}, "none of the keys", true},
		{"a certificate that is none", func(c *config.Host) {
			c.Keys, c.Certificates = []string{ca}, []string{plain + ".pub"}
		}, "no certificate", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := k.host()
			test.change(&c)
			h := newHosts(nil, nil, slog.New(slog.DiscardHandler))
			for range 2 { // also from the cache
				_, _, failed := resolveOne(h, c)
				if failed == nil || failed.Kind != failure.Configuration || failed.Stage != failure.Authentication ||
					!strings.Contains(failed.Error(), test.says) || failed.Advice == "" {
					t.Errorf("got %v, want %q", failed, test.says)
				}
			}
			c.Agent = k.path("socket") // is not asked yet
			signers, agent, failed := resolveOne(newHosts(nil, nil, slog.New(slog.DiscardHandler)), c)
			if test.agent != (failed == nil && len(signers) > 0 && agent != nil) {
				t.Errorf("with an agent: %v, %v", signers, failed)
			}
		})
	}
}

func TestAccessSharesWhatIsShared(t *testing.T) {
	k := newKeys(t)
	a, b := k.host(), k.host()
	b.Name = "web2"
	a.Agent, b.Agent = "/nowhere", "/nowhere"
	a.HostKeys, b.HostKeys = acceptNew, acceptNew
	h := newHosts(nil, nil, slog.New(slog.DiscardHandler))
	var agents []*remote.Agent
	var known []*remote.HostKeys
	pass := h.pass()
	for _, c := range []config.Host{a, b} {
		host, failed := pass.resolve(&c)
		if failed != nil {
			t.Fatal(failed)
		}
		agents, known = append(agents, host.Agent), append(known, host.HostKeys)
	}
	if len(slices.Compact(agents)) != 1 || len(slices.Compact(known)) != 1 || len(h.lasting.recorders) != 1 {
		t.Errorf("%d agents, %d known_hosts, %d recorders, want one each", len(agents), len(known), len(h.lasting.recorders))
	}
}

// TestAccountsCountMachinesOnTheWay: what a jump host refuses is a refusal too.
func TestAccountsCountMachinesOnTheWay(t *testing.T) {
	jump := &config.Host{Name: "jump", User: "j", Address: "j", Port: 22, Password: config.NewSecret("secret")}
	hosts := []config.Host{{Name: "a", Via: jump}, {Name: "b", Via: jump}}
	if got := accounts(hosts); len(got) != 1 || got[0].Host != "jump" || got[0].Password != "secret" {
		t.Errorf("got %d accounts", len(got))
	}
}

func TestTrustNamesItsMistakes(t *testing.T) {
	k := newKeys(t)
	c := &config.Config{Hosts: []config.Host{k.host()}}
	if _, err := NewTrust(c).Show(t.Context(), "web2"); !errors.Is(err, ErrConfiguration) || !strings.Contains(err.Error(), "web2") {
		t.Errorf("got %v", err)
	}
}
