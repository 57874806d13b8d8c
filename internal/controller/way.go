package controller

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"muster/internal/config"
	"muster/internal/failure"
	"muster/internal/jump"
	"muster/internal/remote"
	"muster/internal/visit"
)

// led is how a jump host is reached in one pass, with all files read.
type led struct {
	gateway *jump.Gateway
	key     string         // what tells the gateway from others
	way     string         // the names of all jump hosts up to this one
	failed  *failure.Error // why it can't be used
}

// lead sets what a host is reached through, and returns the failure of a jump host that can't be used as it is configured.
// The caller holds the lock.
func (p *pass) lead(c *config.Host, host *visit.Host) *failure.Error {
	if c.Via == nil {
		return nil
	}
	l := p.through(c.Via)
	host.Way = l.way
	if l.failed != nil {
		found := *remote.Through(c.Via.Name, l.failed)
		found.Stage = failure.Dial
		return &found
	}
	host.Through = l.gateway
	return nil
}

// through returns how a jump host is reached.
func (p *pass) through(c *config.Host) *led {
	if known := p.led[c]; known != nil {
		return known
	}
	l := &led{way: c.Name}
	p.led[c] = l
	var via *led
	if c.Via != nil {
		via = p.through(c.Via)
		l.way = via.way + " > " + c.Name
		if via.failed != nil {
			l.failed = remote.Through(c.Via.Name, via.failed)
			return l
		}
	}
	if c.Trouble != "" {
		l.failed = trouble(c)
		return l
	}
	access, failed := p.access(c)
	if failed != nil {
		l.failed = failed
		return l
	}
	h := jump.Host{Sessions: c.Sessions, Generation: p.hosts.generation, Login: remote.Options{
		Host: c.Name, Address: c.Address, Port: c.Port, User: access.user, KnownAs: access.knownAs,
		Signers: access.signers, Agent: access.agent, Password: access.password, Passwords: access.passwords,
		Methods: access.methods, HostKeys: access.hostKeys,
		Deadlines: remote.Deadlines{
			Dial: c.Timeouts.Dial, Handshake: c.Timeouts.Handshake, Authentication: c.Timeouts.Authentication,
		},
	}}
	l.key = gatewayKey(c, "")
	if via != nil {
		h.Via = via.gateway
		l.key = gatewayKey(c, via.key)
	}
	l.gateway = p.hosts.pool.Gateway(l.key, h)
	return l
}

// trouble is the failure of a machine that can't be reached as the ssh_config says.
func trouble(c *config.Host) *failure.Error {
	return &failure.Error{Stage: failure.Dial, Kind: failure.Configuration, Err: errors.New(c.Trouble),
		Advice: `say in muster.xml how the host is reached, or ssh-config="" if the ssh_config is not to be read`}
}

// gatewayKey tells jump hosts apart by all that the configuration says of them, so that those of an earlier configuration
// that are still the same keep their connections. It is a hash since there are secrets among that.
func gatewayKey(c *config.Host, via string) string {
	return fmt.Sprintf("%x", sha256.Sum256(fmt.Appendf(nil, "%q %q %d %q %q %q %q %q %q %q %q %q %q %q %v %q",
		c.Name, c.Address, c.Port, c.User, c.Keys, c.Certificates, c.Passphrase.Reveal(), c.Agent, c.Password.Reveal(),
		c.Authentication, c.KnownHosts, c.HostKeys, c.Fingerprints, c.KnownAs, c.Timeouts, via)))
}
