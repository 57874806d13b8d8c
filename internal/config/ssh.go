package config

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strings"

	"muster/internal/sshconfig"
)

// longestSSHConfig bounds an ssh_config and each file that it includes, in bytes: some hundred thousand hosts.
const longestSSHConfig = 16 << 20

// sshHints is what an ssh_config says, and what there was to say about it.
type sshHints struct {
	config *sshconfig.Config // nil: there is none
	doubts map[sshconfig.Problem]*sshDoubt
}

// sshDoubt is a line of an ssh_config that is not done, and whom it concerns.
type sshDoubt struct {
	at    int // of the first machine
	name  string
	count int
}

// readSSHConfig reads the ssh_config that the document means.
func (r *resolver) readSSHConfig(root *musterElement, path string) {
	r.ssh.doubts = make(map[sshconfig.Problem]*sshDoubt)
	if path == "" {
		return
	}
	config, err := sshconfig.Load(path, sshconfig.Options{
		Home: r.environment.Home,
		ReadFile: func(path string) ([]byte, error) {
			content, _, err := r.environment.ReadFile(path, longestSSHConfig)
			return content, err
		},
	})
	switch {
	case err == nil:
		r.ssh.config = config
	case root.Server.SSHConfig != nil:
		r.wrong(&root.Server.SSHConfig.mark, "it can't be used: %v", err)
	case !errors.Is(err, fs.ErrNotExist):
		r.add(root.Server.at, `%s can't be used: %v; correct it, or say ssh-config="" if it is not to be read`, quoted(path), err)
	}
}

// hinted returns how a machine is logged in to: as the document says and, where that says nothing, as the ssh_config does. It
// sets the machine's address, and the way to it where that is the ssh_config's to say.
func (r *resolver) hinted(p *placed) *login {
	l := p.login
	if r.ssh.config == nil {
		return &l
	}
	h := p.host
	query := sshconfig.Query{Host: h.Address, LocalUser: r.environment.User}
	if l.said.user {
		query.User = l.user
	}
	s := r.ssh.config.Resolve(query)
	if !l.said.user && s.User != "" {
		l.said.user, l.user = true, s.User
	}
	if !l.said.port && s.Port != 0 {
		l.said.port, l.port = true, s.Port
	}
	if !l.said.knownAs && s.HostKeyAlias != "" {
		l.knownAs = s.HostKeyAlias
	}
	if !l.said.via && s.ProxyJump != "" && s.ProxyJump != none {
		where := &mark{at: p.at, name: "ProxyJump of " + quoted(h.Address), element: p.kind, text: s.ProxyJump}
		p.login.via = &way{mark: where, names: hops(s.ProxyJump)}
	}
	r.hintFiles(p, &l, &s)
	r.hintHostKeys(p, &l, &s)
	if err := r.rename(p, s.HostName); err != nil {
		r.spoil(p, sshconfig.Problem{Fatal: true, Text: fmt.Sprintf("HostName %s %v", quoted(s.HostName), err)})
	}
	for _, problem := range s.Problems {
		if !r.overruled(p, problem) {
			r.spoil(p, problem)
		}
	}
	return &l
}

// rename sets the real address of a machine.
func (r *resolver) rename(p *placed, name string) error {
	var real address
	if err := real.parse(name); err != nil {
		return err
	}
	p.host.Address = string(real)
	return nil
}

// hops returns the hops of a ProxyJump as via="…" has them.
func hops(list string) []string {
	var names []string
	for hop := range strings.SplitSeq(list, ",") {
		hop = strings.TrimPrefix(strings.TrimSpace(hop), "ssh://")
		names = append(names, strings.TrimSuffix(hop, "/"))
	}
	return names
}

// hintFiles takes over keys, certificates and an agent. Keys are not offered beside a password that the document has: the
// document has said how to log in.
func (r *resolver) hintFiles(p *placed, l *login, s *sshconfig.Settings) {
	expand := func(list []string) []string { return r.expand(p, l, s, list) }
	if !l.said.agent && s.IdentityAgent != "" {
		l.agent = r.hintAgent(expand, s.IdentityAgent)
	}
	if !l.said.keys && l.password.Empty() {
		keys := expand(s.IdentityFiles)
		// ssh passes over keys that are not there, and so do we, unless it is them that are to log in.
		there := slices.DeleteFunc(slices.Clone(keys), func(path string) bool { return !r.environment.Exists(path) })
		if len(there) > 0 || l.agent != "" {
			keys = there
		}
		l.keys = keys
	}
	if !l.said.certificates && (len(l.keys) > 0 || l.agent != "") {
		l.certificates = expand(s.CertificateFiles)
	}
}

// hintAgent returns the socket of an IdentityAgent.
func (r *resolver) hintAgent(expand func([]string) []string, value string) string {
	variable, named := strings.CutPrefix(value, "$")
	if value == agentVariable {
		variable, named = value, true
	}
	if named && !strings.HasPrefix(variable, "{") {
		socket, _ := r.environment.LookupEnv(variable)
		return socket
	}
	return strings.Join(expand([]string{value}), "")
}

// hintHostKeys takes over where host keys are, and whether new ones are recorded.
func (r *resolver) hintHostKeys(p *placed, l *login, s *sshconfig.Settings) {
	pinned := len(p.host.Fingerprints) > 0
	switch checking := s.HostKeyChecking; {
	case l.said.hostKeys || pinned:
	case checking == acceptNew:
		l.hostKeys = acceptNew
	case checking == "no" || checking == "off":
		r.spoil(p, sshconfig.Problem{Text: "StrictHostKeyChecking " + checking + " is not done: host keys are always verified"})
	}
	if l.said.knownHosts || s.KnownHosts == nil || pinned {
		return
	}
	for _, path := range s.KnownHosts {
		if path == "/dev/null" || path == none {
			r.spoil(p, sshconfig.Problem{Fatal: true,
				Text: "UserKnownHostsFile " + path + " has no host keys to verify by: say known-hosts=\"…\" in muster.xml"})
			return
		}
	}
	l.said.knownHosts, l.knownHosts = true, r.expand(p, l, s, s.KnownHosts)
	if len(l.knownHosts) > 0 { // the first is where new keys are recorded, and that must not come to be the machine's
		l.knownHosts = r.environment.withMachines(l.knownHosts)
	}
}

// expand fills in the tokens of paths; none means that there is none.
func (r *resolver) expand(p *placed, l *login, s *sshconfig.Settings, list []string) []string {
	tokens := sshconfig.Tokens{
		Home: r.environment.Home, Host: p.host.Address, HostName: s.HostName, Alias: s.HostKeyAlias,
		Port: cmp.Or(l.port, sshPort), User: cmp.Or(l.user, r.environment.User), LocalUser: r.environment.User,
		LocalHost: r.environment.Hostname, LookupEnv: r.environment.LookupEnv,
	}
	var paths []string
	for _, path := range list {
		if path == none {
			continue
		}
		expanded, err := tokens.Expand(path)
		if err != nil {
			r.spoil(p, sshconfig.Problem{Fatal: true, Text: err.Error()})
			continue
		}
		paths = append(paths, expanded)
	}
	return paths
}

// overruled tells whether the document says what a line that is not done would have said.
func (r *resolver) overruled(p *placed, problem sshconfig.Problem) bool {
	switch problem.Keyword {
	case "proxycommand":
		return p.login.said.via
	case "canonicalizehostname":
		_, err := netip.ParseAddr(p.host.Address)
		return err == nil
	case "port":
		return p.login.said.port
	case "revokedhostkeys":
		return len(p.host.Fingerprints) > 0
	case "pubkeyauthentication", "passwordauthentication", "kbdinteractiveauthentication",
		"challengeresponseauthentication", "preferredauthentications":
		return p.login.restricted != nil
	}
	return false
}

// spoil notes what is not done for a machine. It is warned of once, however many it concerns; if the machine would be
// reached in another way than the ssh_config says, or less safely, it is not to be used.
func (r *resolver) spoil(p *placed, problem sshconfig.Problem) {
	if problem.File == "" {
		problem.File = r.config.Server.SSHConfig
	}
	if problem.Fatal && p.host.Trouble == "" {
		p.host.Trouble = problem.String()
	}
	if doubt := r.ssh.doubts[problem]; doubt != nil {
		doubt.count++
		return
	}
	r.ssh.doubts[problem] = &sshDoubt{at: p.at, name: p.host.Name, count: 1}
}

// warnOfSSHConfig warns of what is not done of an ssh_config, and for whom.
func (r *resolver) warnOfSSHConfig() {
	for problem, doubt := range r.ssh.doubts {
		whom := quoted(doubt.name)
		if doubt.count > 1 {
			whom = fmt.Sprintf("%s and %d more", whom, doubt.count-1)
		}
		effect := "it concerns"
		if problem.Fatal {
			effect = "until then nothing is visited that needs it:"
		}
		r.warn(doubt.at, "%s; %s %s", problem, effect, whom)
	}
}
