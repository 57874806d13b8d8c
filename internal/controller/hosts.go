package controller

import (
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"muster/internal/config"
	"muster/internal/failure"
	"muster/internal/jump"
	"muster/internal/passwords"
	"muster/internal/remote"
	"muster/internal/visit"
)

// hosts turns the configuration's hosts into those that a visitor understands: keys, certificates and known_hosts files
// are read, each once however many hosts name it, and again only after the file has changed, so that a host key recorded
// while the server runs counts from the next sweep on, and so does a certificate that was renewed.
type hosts struct {
	guard *passwords.Guard // nil: nobody is asked before a password is sent
	log   *slog.Logger
	pool  *jump.Pool

	mu           sync.Mutex
	keys         map[string]*loaded[ssh.Signer]
	publics      map[string]*loaded[ssh.PublicKey]
	certificates map[string]*loaded[*ssh.Certificate]
	known        map[string]*loaded[*remote.HostKeys]

	generation int // how many configurations came before this one
	lasting    *lasting
}

// lasting is what stays when another configuration takes the place of one: a connection to a jump host by an agent's key goes
// on while it is the same agent, which is asked no more at once than before, and a file keeps its one writer.
type lasting struct {
	mu        sync.Mutex // taken within that of hosts, never the other way round
	agents    map[string]*remote.Agent
	recorders map[string]*remote.Recorder
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
	mode     os.FileMode
}

func newHosts(guard *passwords.Guard, pool *jump.Pool, log *slog.Logger) *hosts {
	return &hosts{
		pool:         pool,
		guard:        guard,
		log:          log,
		keys:         make(map[string]*loaded[ssh.Signer]),
		publics:      make(map[string]*loaded[ssh.PublicKey]),
		certificates: make(map[string]*loaded[*ssh.Certificate]),
		known:        make(map[string]*loaded[*remote.HostKeys]),
		lasting:      &lasting{agents: make(map[string]*remote.Agent), recorders: make(map[string]*remote.Recorder)},
	}
}

// follow makes these the hosts of a configuration that takes the place of another's. It is called before they are used.
func (h *hosts) follow(before *hosts) {
	h.generation, h.lasting = before.generation+1, before.lasting
}

// machines returns the hosts of a configuration, each after the machines on the way to it, and none twice.
func machines(configured []config.Host) []*config.Host {
	var all []*config.Host
	seen := make(map[string]bool)
	var add func(c *config.Host)
	add = func(c *config.Host) {
		if c == nil || seen[c.Name] {
			return
		}
		seen[c.Name] = true
		add(c.Via)
		all = append(all, c)
	}
	for i := range configured {
		add(&configured[i])
	}
	return all
}

// accounts returns where passwords of the configuration are sent, machines on the way included.
func accounts(configured []config.Host) []passwords.Account {
	var all []passwords.Account
	for _, c := range machines(configured) {
		if !c.Password.Empty() {
			all = append(all, account(c))
		}
	}
	return all
}

func account(c *config.Host) passwords.Account {
	return passwords.Account{Host: c.Name, User: c.User, Address: c.Address, Port: c.Port, Password: c.Password.Reveal()}
}

// pass begins a walk over the hosts: files are looked at once in it, and agents asked anew for their keys when a host of it
// wants them. It is for one goroutine.
func (h *hosts) pass() *pass {
	return &pass{hosts: h, seen: make(map[string]bool), led: make(map[*config.Host]*led)}
}

// pass is one walk over the hosts; seen holds what was looked at in it.
type pass struct {
	hosts *hosts
	seen  map[string]bool
	led   map[*config.Host]*led // jump hosts
}

// resolve returns a host as a visitor understands it, with the failure of a key or known_hosts file that can't be used, or
// nil.
func (p *pass) resolve(c *config.Host) (visit.Host, *failure.Error) {
	p.hosts.mu.Lock()
	defer p.hosts.mu.Unlock()
	host := visit.Host{
		Name:      c.Name,
		Address:   c.Address,
		Port:      c.Port,
		Directory: c.Directory,
		Client:    c.Client,
		Sudo:      c.Sudo,
		Transfer:  visit.Transfer(c.Transfer),
		Deadlines: visit.Deadlines(c.Timeouts),
	}
	if c.Trouble != "" {
		return host, trouble(c)
	}
	access, failed := p.access(c)
	host.User, host.Password, host.Passwords, host.Methods = access.user, access.password, access.passwords, access.methods
	host.Signers, host.Agent = access.signers, access.agent
	host.HostKeys, host.KnownAs = access.hostKeys, access.knownAs
	if failed == nil {
		failed = p.lead(c, &host)
	}
	return host, failed
}

// load returns what read made of the files, from the cache while they have not changed. What is read is told from other
// readings of the same files by its name.
func load[T any](p *pass, cache map[string]*loaded[T], name string, files []string, read func() (T, error)) *loaded[T] {
	cached := cache[name]
	if cached != nil && p.seen[name] {
		return cached
	}
	p.seen[name] = true
	state := stateOf(files)
	if cached != nil && keeps(cached.err) && slices.Equal(cached.state, state) {
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
			states[i] = fileState{info.Size(), info.ModTime(), info.Mode()}
		}
	}
	return states
}

// named joins what a reading of files is told from others by.
func named(kind string, parts ...string) string { return kind + "\x00" + strings.Join(parts, "\x00") }
