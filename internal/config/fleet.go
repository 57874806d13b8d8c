package config

import (
	"cmp"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	sshPort  = 22
	shortest = 100 * time.Millisecond // deadline: less than a round trip to the other side of the world would always fail
)

// scope is what a host inherits at some place of the document. Its slices are shared and never written to.
type scope struct {
	groups     []string
	user       string
	userWrong  bool
	key        string
	password   Secret
	loginWrong bool // a key or a password was given, but is wrong
	port       int
	knownHosts []string
	knownWrong bool
	transfer   string
	directory  string
	mail       []string
	timeouts   Timeouts
	limits     []Limit
}

// placed is a host and where it stands.
type placed struct {
	at      int
	named   bool  // by name="…", not by its address
	subject *mark // what its name comes from
	host    Host
}

// fleet returns all hosts with what they inherit, in the order of the document.
func (r *resolver) fleet(root *musterElement, mail *Mail) []Host {
	known := r.environment.knownHosts()
	outermost := scope{
		user:       r.environment.User,
		port:       sshPort,
		knownHosts: known,
		transfer:   "stdout",
		timeouts:   r.timeouts(root.Timeouts, defaultTimeouts()),
		limits:     r.limits(root.Limits, builtinLimits()),
	}
	if mail != nil {
		outermost.mail = mail.To
	}
	r.members(root.Groups, root.Hosts, outermost)
	slices.SortStableFunc(r.hosts, func(a, b placed) int { return cmp.Compare(a.at, b.at) })
	r.checkNames()
	hosts := make([]Host, len(r.hosts))
	for i, p := range r.hosts {
		hosts[i] = p.host
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

func (r *resolver) members(groups []*groupElement, hosts []*hostElement, s scope) {
	for _, host := range hosts {
		r.host(host, s)
	}
	for _, group := range groups {
		inner := r.within(&group.inheritable, s)
		if name, ok := group.Name.given(); ok {
			inner.groups = append(slices.Clip(s.groups), string(name))
		}
		r.members(group.Groups, group.Hosts, inner)
	}
}

// within returns what holds inside an element that may say otherwise than what surrounds it.
func (r *resolver) within(e *inheritable, s scope) scope {
	s.user = string(e.User.or(name(s.user)))
	s.userWrong = s.userWrong || e.User != nil && e.User.wrong
	s.port = int(e.Port.or(port(s.port)))
	s.transfer = string(e.Transfer.or(transfer(s.transfer)))
	s.directory = string(e.Directory.or(directory(s.directory)))
	s.mail = e.Mail.or(s.mail)
	r.noteReceivers(e.Mail)
	if e.Key != nil {
		s.key = r.optionalFile(e.Key)
		s.loginWrong = s.loginWrong || e.Key.wrong
	}
	if e.Password != nil {
		s.password = r.secret(e.Password)
		s.loginWrong = s.loginWrong || e.Password.wrong
	}
	if e.KnownHosts != nil {
		s.knownHosts = r.files(e.KnownHosts)
		s.knownWrong = s.knownWrong || e.KnownHosts.wrong
	}
	s.timeouts = r.timeouts(e.Timeouts, s.timeouts)
	s.limits = r.limits(e.Limits, s.limits)
	return s
}

func (r *resolver) files(a *attribute[paths]) []string {
	var files []string
	for _, path := range a.or(nil) {
		files = append(files, r.resolved(&a.mark, path))
	}
	return files
}

func (r *resolver) host(e *hostElement, s scope) {
	s = r.within(&e.inheritable, s)
	place, known := e.Address.given()
	if !known {
		return // its mistake is noted
	}
	p := placed{at: e.at, named: e.Name != nil, subject: &e.Address.mark}
	switch {
	case p.named:
		p.subject = &e.Name.mark
	case e.Port != nil && e.Port.wrong:
		p.subject = &e.Port.mark // the name would hold the port
	}
	p.host = Host{
		Name:       string(e.Name.or(name(defaultName(string(place), s.port)))),
		Groups:     s.groups,
		Address:    string(place),
		Port:       s.port,
		User:       s.user,
		Key:        s.key,
		Password:   s.password,
		KnownHosts: s.knownHosts,
		Transfer:   s.transfer,
		Directory:  s.directory,
		Mail:       s.mail,
		Timeouts:   s.timeouts,
		Limits:     s.limits,
	}
	if s.user == "" && !s.userWrong {
		r.add(e.at, `this <host> has no user, and the name of your own is not known: `+
			`say user="…" here or in a group around it`)
	}
	if s.key == "" && s.password.Empty() && !s.loginWrong {
		r.add(e.at, `this <host> has no way to log in: say key="…" or password="…" here or in a group around it`)
	}
	if len(s.knownHosts) == 0 && !s.knownWrong {
		r.add(e.at, `this <host> has no host keys to be verified by: say known-hosts="…" here or in a group around it, `+
			"since your home directory is not known")
	}
	r.hosts = append(r.hosts, p)
}

// defaultName names a host that has no name by its address, as known_hosts files do: with the port where it is not 22.
func defaultName(address string, port int) string {
	if port == sshPort {
		return address
	}
	return net.JoinHostPort(address, strconv.Itoa(port))
}

// checkNames notes hosts of the same name. Case does not tell two apart: not every database would keep them apart.
func (r *resolver) checkNames() {
	first := make(map[string]*placed, len(r.hosts))
	for i := range r.hosts {
		p := &r.hosts[i]
		if p.subject.wrong {
			continue // its name is not known
		}
		key := strings.ToLower(p.host.Name)
		other, taken := first[key]
		switch {
		case !taken:
			first[key] = p
		case p.named:
			r.wrong(p.subject, "the host on line %d has this name: names must differ, not only in case", r.line(other.at))
		default:
			r.wrong(p.subject, `the host on line %d is called %s too: give one of them a name="…" of its own`,
				r.line(other.at), quoted(other.host.Name))
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
