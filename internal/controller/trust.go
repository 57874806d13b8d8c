package controller

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"time"

	"muster/internal/config"
	"muster/internal/failure"
	"muster/internal/jump"
	"muster/internal/passwords"
	"muster/internal/remote"
	"muster/internal/visit"
)

// trustAtOnce is how many hosts are connected to at once to see their keys.
const trustAtOnce = 64

// Trust sees which keys hosts show, and records them. Nothing secret is sent to a host; to a jump host that leads to others
// it is, as in a visit, once the jump host's own key is known. Make it with NewTrust.
type Trust struct {
	config *config.Config
	hosts  *hosts
}

// HostKey is what was seen of a host.
type HostKey struct {
	Host    string           // its name in the configuration, or that of a machine on the way to one
	Address string           // address:port
	Pinned  bool             // the configuration pins its fingerprint: nothing is to be recorded
	Shown   *remote.ShownKey // nil: it could not be seen, and Failure says why
	Failure *failure.Error   // why the host is not trusted; nil: it is

	host *config.Host
}

// NewTrust returns what sees to the keys of a configuration's hosts, and of the machines that they are reached through.
func NewTrust(c *config.Config) *Trust {
	return &Trust{config: c, hosts: newHosts(nil, nil, slog.New(slog.DiscardHandler))}
}

// Show connects to the named machines, or to all if none is named, and returns what each shows, in the order of the
// configuration, and those on the way to a host before it. Jump hosts are logged in to where they lead to others: with a
// password that was refused before, since a person asks, but one that several share is sent to no more of them than in a
// sweep. It returns when all are seen, or ctx has ended, of which the failures then tell. The error names a host that is not
// in the configuration and wraps ErrConfiguration.
func (t *Trust) Show(ctx context.Context, names ...string) ([]HostKey, error) {
	wanted := make(map[string]bool, len(names))
	for _, name := range names {
		wanted[name] = true
	}
	var keys []HostKey
	for _, c := range machines(t.config.Hosts) {
		if len(names) > 0 && !wanted[c.Name] {
			continue
		}
		delete(wanted, c.Name)
		keys = append(keys, HostKey{
			Host: c.Name, Address: net.JoinHostPort(c.Address, strconv.Itoa(c.Port)), Pinned: len(c.Fingerprints) > 0, host: c,
		})
	}
	for _, name := range names {
		if wanted[name] {
			return nil, fmt.Errorf("%w: no host is called %q", ErrConfiguration, name)
		}
	}
	guard, err := passwords.New(ctx, passwords.Options{Table: forgetful{}, Logger: t.hosts.log, Now: time.Now})
	if err != nil {
		return nil, err
	}
	guard.SetAccounts(accounts(t.config.Hosts))
	pool := jump.New(jump.Options{})
	defer func() { _ = pool.Close() }()
	t.hosts.mu.Lock()
	t.hosts.pool, t.hosts.guard = pool, guard
	t.hosts.mu.Unlock()
	pass := t.hosts.pass()
	slots := make(chan struct{}, trustAtOnce)
	var looking sync.WaitGroup
	for i := range keys {
		slots <- struct{}{}
		looking.Go(func() {
			defer func() { <-slots }()
			t.show(ctx, pass, &keys[i])
		})
	}
	looking.Wait()
	return keys, nil
}

// show sees one host's key.
func (t *Trust) show(ctx context.Context, p *pass, k *HostKey) {
	if k.host.Trouble != "" {
		k.Failure = trouble(k.host)
		return
	}
	t.hosts.mu.Lock()
	known, err := p.hostKeys(k.host)
	var way visit.Host
	var lost *failure.Error
	if err == nil {
		lost = p.lead(k.host, &way)
	}
	t.hosts.mu.Unlock()
	switch {
	case err != nil:
		k.Failure = failure.From(failure.Handshake, err)
		return
	case lost != nil:
		k.Failure = lost
		return
	}
	k.Shown, err = remote.ShowHostKey(ctx, remote.Options{
		Host: k.Host, Address: k.host.Address, Port: k.host.Port, KnownAs: k.host.KnownAs, HostKeys: known, Through: way.Through,
		Deadlines: remote.Deadlines{Dial: k.host.Timeouts.Dial, Handshake: k.host.Timeouts.Handshake},
	})
	switch {
	case err != nil:
		k.Failure = failure.From(failure.Handshake, err)
	case k.Shown.Refused != nil:
		k.Failure = k.Shown.Refused
	}
}

// Record records the key that a host has shown, in the first of its known_hosts files, and in place of others that any of
// them has for its name if replace is set. It returns when that is on disk. The error is a *failure.Error: of the kind
// failure.HostKeyChanged or failure.HostKeyRevoked where the files have come to say something else meanwhile.
func (t *Trust) Record(ctx context.Context, k HostKey, replace bool) error {
	files := k.host.KnownHosts
	t.hosts.mu.Lock()
	recorders := make([]*remote.Recorder, len(files))
	for i, file := range files {
		recorders[i] = (&pass{hosts: t.hosts}).recorder(file)
	}
	t.hosts.mu.Unlock()
	if !replace {
		return recorders[0].Record(ctx, k.Shown.Address, k.Shown.Key)
	}
	for _, r := range recorders[1:] {
		if err := r.Forget(ctx, k.Shown.Address, k.Shown.Key); err != nil {
			return err
		}
	}
	return recorders[0].Replace(ctx, k.Shown.Address, k.Shown.Key)
}
