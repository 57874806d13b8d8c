package controller

import (
	"iter"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"muster/internal/config"
	"muster/internal/failure"
	"muster/internal/remote"
	"muster/internal/visit"
)

// hosts turns the configuration's hosts into those that a visitor understands: keys and known_hosts files are read, each
// once however many hosts name it, and again only after the file has changed, so that a host key recorded while the
// server runs counts from the next sweep on.
type hosts struct {
	configured []config.Host

	mu    sync.Mutex
	keys  map[string]*loaded[ssh.Signer]
	known map[string]*loaded[*remote.HostKeys]
}

// loaded is what was read from files, or why it could not be, as of the files' state then.
type loaded[T any] struct {
	value T
	err   error
	state []fileState
}

type fileState struct {
	size     int64
	modified time.Time
}

func newHosts(configured []config.Host) *hosts {
	return &hosts{
		configured: configured,
		keys:       make(map[string]*loaded[ssh.Signer]),
		known:      make(map[string]*loaded[*remote.HostKeys]),
	}
}

// Len returns the number of hosts.
func (h *hosts) Len() int { return len(h.configured) }

// All yields every host in the order of the configuration, with the failure of a key or known_hosts file that can't be
// used, or nil. Files are looked at once a pass.
func (h *hosts) All() iter.Seq2[visit.Host, *failure.Error] {
	return func(yield func(visit.Host, *failure.Error) bool) {
		pass := &pass{hosts: h, seen: make(map[string]bool)}
		for _, c := range h.configured {
			if !yield(pass.resolve(c)) {
				return
			}
		}
	}
}

// pass is one walk over the hosts; seen holds the files that were looked at in it.
type pass struct {
	hosts *hosts
	seen  map[string]bool
}

func (p *pass) resolve(c config.Host) (visit.Host, *failure.Error) {
	p.hosts.mu.Lock()
	defer p.hosts.mu.Unlock()
	host := visit.Host{
		Name:      c.Name,
		Address:   c.Address,
		Port:      c.Port,
		User:      c.User,
		Password:  c.Password.Reveal(),
		Directory: c.Directory,
		Transfer:  visit.Transfer(c.Transfer),
		Deadlines: visit.Deadlines(c.Timeouts),
	}
	known := load(p, p.hosts.known, c.KnownHosts, func() (*remote.HostKeys, error) {
		return remote.LoadHostKeys(c.KnownHosts...)
	})
	if known.err != nil {
		return host, failure.From(failure.Handshake, known.err)
	}
	host.HostKeys = known.value
	for _, file := range c.Keys {
		key := load(p, p.hosts.keys, []string{file}, func() (ssh.Signer, error) { return remote.LoadKey(file) })
		if key.err != nil {
			return host, failure.From(failure.Authentication, key.err)
		}
		host.Signers = append(host.Signers, key.value)
	}
	return host, nil
}

// load returns what read made of the files, from the cache while they have not changed.
func load[T any](p *pass, cache map[string]*loaded[T], files []string, read func() (T, error)) *loaded[T] {
	name := strings.Join(files, "\n")
	cached := cache[name]
	if cached != nil && p.seen[name] {
		return cached
	}
	p.seen[name] = true
	state := stateOf(files)
	if cached != nil && cached.err == nil && slices.Equal(cached.state, state) {
		return cached
	}
	fresh := &loaded[T]{state: state}
	fresh.value, fresh.err = read()
	cache[name] = fresh
	return fresh
}

func stateOf(files []string) []fileState {
	states := make([]fileState, len(files))
	for i, file := range files {
		if info, err := os.Stat(file); err == nil {
			states[i] = fileState{info.Size(), info.ModTime()}
		}
	}
	return states
}
