package controller

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"golang.org/x/crypto/ssh"

	"muster/internal/config"
	"muster/internal/failure"
	"muster/internal/remote"
)

// access is how a machine is verified and logged in to, with all files read.
type access struct {
	user      string
	hostKeys  *remote.HostKeys
	knownAs   string
	signers   []ssh.Signer
	agent     *remote.Agent
	methods   []string
	password  string
	passwords remote.PasswordGate
}

// access reads what it takes to reach a machine: a host, or one on the way to it. The caller holds the lock.
func (p *pass) access(c *config.Host) (access, *failure.Error) {
	a := access{user: c.User, knownAs: c.KnownAs, methods: c.Authentication, password: c.Password.Reveal()}
	if p.hosts.guard != nil {
		a.passwords = p.hosts.guard.Gate(account(c))
	}
	var err error
	if a.hostKeys, err = p.hostKeys(c); err != nil {
		return a, failure.From(failure.Handshake, err)
	}
	if c.Agent != "" {
		a.agent = p.agent(c.Agent)
	}
	if a.signers, err = p.signers(c, a.agent); err != nil {
		return a, failure.From(failure.Authentication, err)
	}
	return a, nil
}

// acceptNew is the value of host-keys with which unknown hosts are accepted.
const acceptNew = "accept-new"

// hostKeys returns what a machine's key is compared with.
func (p *pass) hostKeys(c *config.Host) (*remote.HostKeys, error) {
	if len(c.Fingerprints) > 0 {
		return remote.PinHostKeys(c.Fingerprints...), nil
	}
	name := named("known_hosts", append([]string{c.HostKeys}, c.KnownHosts...)...)
	known := load(p, p.hosts.known, name, c.KnownHosts, func() (*remote.HostKeys, error) {
		keys, err := remote.LoadHostKeys(c.KnownHosts...)
		if err == nil && c.HostKeys == acceptNew {
			keys = keys.AcceptNew(p.recorder(c.KnownHosts[0]))
		}
		return keys, err
	})
	return known.value, known.err
}

// recorder returns the one writer of a known_hosts file.
func (p *pass) recorder(path string) *remote.Recorder {
	last := p.hosts.lasting
	last.mu.Lock()
	defer last.mu.Unlock()
	r := last.recorders[path]
	if r == nil {
		r = remote.NewRecorder(path)
		last.recorders[path] = r
	}
	return r
}

// agent returns the agent at a socket, which is asked anew for its keys in each pass.
func (p *pass) agent(socket string) *remote.Agent {
	last := p.hosts.lasting
	last.mu.Lock()
	defer last.mu.Unlock()
	a := last.agents[socket]
	if a == nil {
		log := p.hosts.log
		a = remote.NewAgent(socket, func(err error) {
			if err != nil {
				log.Warn("an ssh-agent can't be used: hosts that have other keys or passwords are visited without it",
					"agent", socket, "err", err)
				return
			}
			log.Info("the ssh-agent can be used again", "agent", socket)
		})
		last.agents[socket] = a
	}
	if name := named("agent", socket); !p.seen[name] {
		p.seen[name] = true
		a.Refresh()
	}
	return a
}

// signers returns the keys that a machine is offered, each after its certificates, as ssh does.
func (p *pass) signers(c *config.Host, agent *remote.Agent) ([]ssh.Signer, error) {
	certificates, err := p.certificates(c.Certificates)
	if err != nil {
		return nil, err
	}
	used := make([]bool, len(certificates))
	var signers []ssh.Signer
	for _, file := range c.Keys {
		key, err := p.key(file, c.Passphrase.Reveal(), agent)
		if err != nil {
			return nil, err
		}
		for i, certificate := range certificates {
			if certified, err := remote.Certify(certificate, key); err == nil {
				used[i] = true
				signers = append(signers, certified)
			}
		}
		beside, err := p.certificate(strings.TrimSuffix(file, ".pub") + "-cert.pub")
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		if err == nil {
			if certified, err := remote.Certify(beside, key); err == nil {
				signers = append(signers, certified)
			}
		}
		signers = append(signers, key)
	}
	for i, certificate := range certificates {
		if used[i] {
			continue
		}
		if agent == nil {
			return nil, &failure.Error{Kind: failure.Configuration,
				Err:    fmt.Errorf("the certificate %s is for none of the keys", c.Certificates[i]),
				Advice: `name its key with key="…", or the ssh-agent that has it with agent="…"`}
		}
		certified, err := remote.Certify(certificate, agent.Key(certificate.Key))
		if err != nil {
			return nil, err
		}
		signers = append(signers, certified)
	}
	return signers, nil
}

// key returns what signs with a key: that of a file, or the agent where only the public half is here, or the file is
// encrypted and no passphrase is given.
func (p *pass) key(file, passphrase string, agent *remote.Agent) (ssh.Signer, error) {
	private := load(p, p.hosts.keys, named("key", file, passphrase), []string{file}, func() (ssh.Signer, error) {
		return remote.LoadKey(file, passphrase)
	})
	if private.err == nil || agent == nil || errors.Is(private.err, remote.ErrPassphrase) {
		return private.value, private.err
	}
	public := load(p, p.hosts.publics, named("public", file), []string{file, file + ".pub"}, func() (ssh.PublicKey, error) {
		return remote.LoadPublicKey(file)
	})
	if public.err != nil {
		return nil, private.err
	}
	return agent.Key(public.value), nil
}

// certificates reads certificates that were named.
func (p *pass) certificates(files []string) ([]*ssh.Certificate, error) {
	var certificates []*ssh.Certificate
	for _, file := range files {
		certificate, err := p.certificate(file)
		if err != nil {
			return nil, err
		}
		certificates = append(certificates, certificate)
	}
	return certificates, nil
}

func (p *pass) certificate(file string) (*ssh.Certificate, error) {
	read := load(p, p.hosts.certificates, named("certificate", file), []string{file}, func() (*ssh.Certificate, error) {
		return remote.LoadCertificate(file)
	})
	return read.value, read.err
}

// keeps tells whether a reading is kept while the files are what they were: one that went well, and that of a key which
// its passphrase does not open, since that takes long to find out.
func keeps(err error) bool { return err == nil || errors.Is(err, remote.ErrPassphrase) }
