package controller

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"muster/internal/config"
	"muster/internal/failure"
	"muster/internal/sshtest"
)

// TestTrustSparesAnAccountThatJumpHostsShare has many jump hosts that refuse the same password, each with a host behind it.
func TestTrustSparesAnAccountThatJumpHostsShare(t *testing.T) {
	var refused atomic.Int32
	timeouts := config.Timeouts{Dial: time.Minute, Handshake: time.Minute, Authentication: time.Minute}
	c := new(config.Config)
	for i := range 12 {
		bastion, err := sshtest.New(sshtest.Options{Home: t.TempDir(), Configure: func(s *ssh.ServerConfig) {
			s.PasswordCallback = func(ssh.ConnMetadata, []byte) (*ssh.Permissions, error) {
				refused.Add(1)
				return nil, errors.New("wrong")
			}
		}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = bastion.Close() })
		known := filepath.Join(t.TempDir(), "known_hosts")
		if err := os.WriteFile(known, []byte(bastion.KnownHostsLine()), 0o600); err != nil {
			t.Fatal(err)
		}
		c.Hosts = append(c.Hosts, config.Host{
			Name: fmt.Sprint("web", i), Address: "127.0.0.1", Port: 1, KnownHosts: []string{known}, Timeouts: timeouts,
			Via: &config.Host{
				Name: fmt.Sprint("bastion", i), Address: "127.0.0.1", Port: bastion.Addr().Port, KnownHosts: []string{known},
				User: "monitor", Password: config.NewSecret("wrong horse"), Timeouts: timeouts, Sessions: 1,
			},
		})
	}
	keys, err := NewTrust(c).Show(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	seen, withheld := 0, 0
	for _, k := range keys {
		switch {
		case k.host.Via == nil && k.Failure == nil:
			seen++
		case k.host.Via != nil && k.Failure != nil && k.Failure.Kind == failure.JumpFailed:
			withheld++
		default:
			t.Errorf("%s: %v", k.Host, k.Failure)
		}
	}
	if seen != 12 || withheld != 12 || refused.Load() != 3 {
		t.Errorf("%d jump hosts were seen, %d hosts behind them were not, and %d passwords refused, want 12, 12 and 3",
			seen, withheld, refused.Load())
	}
}
