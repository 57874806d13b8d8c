package config

import (
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	sshPort         = 22
	defaultSessions = 16                     // fewer than the OpenSSH server lets begin at once, on a jump host that others use too
	shortest        = 100 * time.Millisecond // deadline: less than a round trip to the other side of the world would always fail
)

// scope is what a machine inherits at some place of the document. Its slices are shared and never written to.
type scope struct {
	groups    []string
	login     login
	transfer  *attribute[transfer]
	directory string
	client    *attribute[client]
	sudo      bool
	mail      []string
	timeouts  Timeouts
	limits    []Limit
	events    *eventTerms
}

// placed is a machine and where it stands.
type placed struct {
	at       int
	kind     string // of element: host or jump
	title    string // as a message begins with it
	named    bool   // by name="…", not by its address
	subject  *mark  // what its name comes from
	own      *mark  // its own via="…"
	pinWrong bool   // its fingerprint="…" is wrong
	login    login
	host     *Host
	state    state // of its way
	used     bool  // others are reached through it
}

// fleet returns all hosts with what they inherit, in the order of the document.
func (r *resolver) fleet(root *musterElement, mail *Mail) []Host {
	r.known = r.environment.knownHosts()
	outermost := scope{
		login: login{
			authentication: []string{publicKey, byPassword, interactive},
			hostKeys:       strict,
		},
		timeouts: r.timeouts(root.Timeouts, defaultTimeouts()),
		limits:   r.limits(root.Limits, builtinLimits()),
		events:   r.events(&root.terms, &root.contents, &eventTerms{}),
	}
	if mail != nil {
		outermost.mail = mail.To
	}
	r.members(&root.contents, outermost)
	slices.SortStableFunc(r.machines, func(a, b *placed) int { return r.compare(a.at, b.at) })
	hosts := r.gather()
	r.checkNames()
	for _, p := range r.machines {
		r.settle(p)
	}
	r.connect()
	r.warnOfSSHConfig()
	return hosts
}

// gather puts the hosts side by side, where they stay.
func (r *resolver) gather() []Host {
	hosts := make([]Host, 0, len(r.machines)-len(r.jumps))
	for _, p := range r.machines {
		if p.kind == "host" {
			hosts = append(hosts, *p.host)
		}
	}
	next := 0
	for _, p := range r.machines {
		if p.kind == "host" {
			p.host = &hosts[next]
			next++
		}
	}
	return hosts
}

func defaultTimeouts() Timeouts {
	return Timeouts{
		Dial:           10 * time.Second,
		Handshake:      15 * time.Second,
		Authentication: 20 * time.Second,
		Platform:       30 * time.Second,
		Deploy:         60 * time.Second,
		Run:            30 * time.Second,
		Receive:        30 * time.Second,
		Visit:          2 * time.Minute,
	}
}

func (r *resolver) members(c *contents, s scope) {
	for _, jump := range c.Jumps {
		r.jump(jump, s)
	}
	for _, host := range c.Hosts {
		r.host(host, s)
	}
	for _, group := range c.Groups {
		inner := r.within(&group.inheritable, &group.terms, &group.contents, s)
		if name, ok := group.Name.given(); ok {
			inner.groups = append(slices.Clip(s.groups), string(name))
		}
		r.members(&group.contents, inner)
	}
}

// within returns what holds inside an element that may say otherwise than what surrounds it. Inner are the elements in a
// group; nil for a host.
func (r *resolver) within(e *inheritable, t *terms, inner *contents, s scope) scope {
	s.login = r.loginWithin(&e.loginAttributes, s.login)
	if e.Transfer != nil {
		s.transfer = e.Transfer
	}
	s.directory = string(e.Directory.or(directory(s.directory)))
	s.sudo = bool(e.Sudo.or(yesNo(s.sudo)))
	s.mail = e.Mail.or(s.mail)
	r.noteReceivers(e.Mail)
	if e.Client != nil {
		s.client = e.Client
	}
	s.timeouts = r.timeouts(t.Timeouts, s.timeouts)
	s.limits = r.limits(t.Limits, s.limits)
	s.events = r.events(t, inner, s.events)
	return s
}

func (r *resolver) host(e *hostElement, s scope) {
	s = r.within(&e.inheritable, &e.terms, nil, s)
	p := r.place(&e.machine, &e.loginAttributes, s)
	if p == nil {
		return
	}
	p.at, p.kind, p.title = e.at, "host", "this <host>"
	if e.command != "" {
		p.title = printedBy(p.host.Name, e.command)
	}
	h := p.host
	h.Directory, h.Sudo, h.Mail, h.Limits = s.directory, s.sudo, s.mail, s.limits
	h.Logs, h.EventLimits, h.MailRecords = s.events.applied.logs, s.events.applied.limits, s.events.applied.records
	r.doubtRecords(h, s.events.applied.mailed)
	h.Transfer = string(s.transfer.or("stdout"))
	h.Client, _ = strings.CutPrefix(string(s.client.or("upload")), "installed:")
	if h.Client == "upload" {
		h.Client = ""
	}
	if h.Sudo && onWindows(h.Client) && !s.client.wrong {
		r.wrong(&s.client.mark, `is on Windows, which has no sudo: leave out sudo="yes"`)
	}
	r.checkFile(h, s, p.at)
	r.machines = append(r.machines, p)
}

// checkFile notes a host whose report can't lie in a file for us to fetch.
func (r *resolver) checkFile(h *Host, s scope, at int) {
	if h.Transfer != "file" || s.transfer.wrong {
		return
	}
	switch {
	case h.Client != "":
		r.wrong(&s.transfer.mark, `is for clients that are uploaded: that of the <host> on line %d is installed, and writes no file: `+
			`say transfer="stdout" there`, r.line(at))
	case h.Sudo:
		r.wrong(&s.transfer.mark, `does not go with sudo: the file of the <host> on line %d would be root's, and not ours to fetch: `+
			`say transfer="stdout" there`, r.line(at))
	}
}

func (r *resolver) jump(e *jumpElement, s scope) {
	// The name in known_hosts is that of the hosts: a jump host is verified as itself.
	s.login.said.knownAs, s.login.knownAs = false, ""
	s.login = r.loginWithin(&e.loginAttributes, s.login)
	p := r.place(&e.machine, &e.loginAttributes, s)
	if p == nil {
		return
	}
	p.at, p.kind, p.title = e.at, "jump", "this <jump>"
	p.host.Sessions = int(e.Sessions.or(defaultSessions))
	r.jumps = append(r.jumps, p.host.Name)
	r.machines = append(r.machines, p)
}

// place returns a machine with what hosts and jump hosts have in common; nil where nobody knows its address.
func (r *resolver) place(e *machine, own *loginAttributes, s scope) *placed {
	where, known := e.Address.given()
	if !known {
		return nil // its mistake is noted
	}
	p := &placed{named: e.Name != nil, subject: &e.Address.mark, login: s.login}
	switch {
	case p.named:
		p.subject = &e.Name.mark
	case own.Port != nil && own.Port.wrong:
		p.subject = &own.Port.mark // the name would hold the port
	}
	if own.Via != nil {
		p.own = &own.Via.mark
	}
	r.checkPin(e.Fingerprint, own)
	p.pinWrong = e.Fingerprint != nil && e.Fingerprint.wrong
	number := s.login.port
	if !s.login.said.port {
		number = sshPort
	}
	p.host = &Host{
		Name:         string(e.Name.or(name(defaultName(string(where), number)))),
		Groups:       s.groups,
		Address:      string(where),
		Fingerprints: e.Fingerprint.or(nil),
		Sessions:     defaultSessions,
		Timeouts:     s.timeouts,
	}
	return p
}

// defaultName names a host that has no name by its address, as known_hosts files do: with the port where it is not 22.
func defaultName(address string, port int) string {
	if port == sshPort {
		return address
	}
	return net.JoinHostPort(address, strconv.Itoa(port))
}

// checkNames notes machines of the same name. Case does not tell two apart: not every database would keep them apart.
func (r *resolver) checkNames() {
	first := make(map[string]*placed, len(r.machines))
	for _, p := range r.machines {
		if p.subject.wrong {
			continue // its name is not known
		}
		key := strings.ToLower(p.host.Name)
		other, taken := first[key]
		switch {
		case !taken:
			first[key] = p
		case p.named:
			r.wrong(p.subject, "the %s %s has this name: names must differ, not only in case", other.kind,
				r.where(other.at, p.at))
		case p.kind != other.kind:
			r.wrong(p.subject, `the %s %s is called %s too: leave the <jump> out, since via="…" may name a host as well`,
				other.kind, r.where(other.at, p.at), quoted(other.host.Name))
		default:
			r.wrong(p.subject, `the %s %s is called %s too: give one of them a name="…" of its own`,
				other.kind, r.where(other.at, p.at), quoted(other.host.Name))
		}
	}
}

// timeouts returns the deadlines that hold inside an element with its own <timeouts>, or none.
func (r *resolver) timeouts(e *timeoutsElement, inherited Timeouts) Timeouts {
	if e == nil {
		return inherited
	}
	t := inherited
	stages := []struct {
		own  *attribute[duration]
		into *time.Duration
	}{
		{e.Dial, &t.Dial}, {e.Handshake, &t.Handshake}, {e.Authentication, &t.Authentication}, {e.Platform, &t.Platform},
		{e.Deploy, &t.Deploy}, {e.Run, &t.Run}, {e.Receive, &t.Receive},
	}
	t.Visit = r.between(e.Visit, t.Visit, shortest, 24*time.Hour)
	for _, stage := range stages {
		*stage.into = r.between(stage.own, *stage.into, shortest, 24*time.Hour)
		if _, ok := stage.own.given(); ok && *stage.into > t.Visit {
			r.wrong(&stage.own.mark, `would never be reached, since the whole visit ends after %s: say visit="…" too`,
				spell(t.Visit))
		}
	}
	return t
}
