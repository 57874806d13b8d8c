package config

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// The ways to log in (RFC 4252 and RFC 4256) that a client of ours knows.
const (
	publicKey   = "publickey"
	byPassword  = "password"
	interactive = "keyboard-interactive"
)

// How a host's key is verified that no known_hosts file has.
const (
	strict    = "strict"     // it is refused
	acceptNew = "accept-new" // it is recorded, and refused once it has changed
)

// agentVariable names the variable of the server's environment that holds the path of its agent's socket.
const agentVariable = "SSH_AUTH_SOCK"

type (
	agent        string   // SSH_AUTH_SOCK, the path of a socket, or none
	methods      []string // of authentication, separated by commas
	hostKeys     string   // strict or accept-new
	fingerprints []string // separated by commas
	knownAs      string   // a name in known_hosts; empty: the address
	client       string   // upload, or installed: and the path of a client on the host
	yesNo        bool
)

func (a *agent) parse(text string) error {
	if trimmed(text) == "" {
		return errors.New("must not be empty: say none")
	}
	return (*optionalPath)(a).parse(text)
}

func (m *methods) parse(text string) error {
	for item := range strings.SplitSeq(text, ",") {
		var method string
		if err := parseOneOf(&method, item, publicKey, byPassword, interactive); err != nil {
			return err
		}
		if slices.Contains(*m, method) {
			return fmt.Errorf("names %s twice", method)
		}
		*m = append(*m, method)
	}
	return nil
}

func (h *hostKeys) parse(text string) error { return parseOneOf((*string)(h), text, strict, acceptNew) }

// parse reads fingerprints as ssh-keygen -l prints them: SHA256: and the hash in base64 without padding.
func (f *fingerprints) parse(text string) error {
	for item := range strings.SplitSeq(text, ",") {
		item = trimmed(item)
		if !IsFingerprint(item) {
			return errors.New("must be fingerprints as ssh-keygen -l prints them, SHA256: and 43 characters, with commas between them")
		}
		if !slices.Contains(*f, item) {
			*f = append(*f, item)
		}
	}
	return nil
}

// IsFingerprint tells whether a text is the fingerprint of a key as OpenSSH prints it: SHA256: and 43 characters.
func IsFingerprint(text string) bool {
	hash, found := strings.CutPrefix(text, "SHA256:")
	sum, err := base64.RawStdEncoding.Strict().DecodeString(hash)
	return found && err == nil && len(sum) == sha256.Size && !strings.ContainsAny(hash, "\r\n")
}

func (k *knownAs) parse(text string) error {
	*k = knownAs(trimmed(text))
	unfit := func(c rune) bool { return strings.ContainsRune(space+",*?!|#@", c) || unicode.IsControl(c) }
	if strings.ContainsFunc(string(*k), unfit) {
		return errors.New("must be one name as it stands in known_hosts: without spaces, commas and any of * ? ! | # @")
	}
	return nil
}

func (c *client) parse(text string) error {
	text = trimmed(text)
	*c = client(text)
	path, installed := strings.CutPrefix(text, "installed:")
	switch {
	case text == "upload":
		return nil
	case !installed:
		return errors.New("must be upload, or installed: and the path of the client on the host")
	case onWindows(path):
		if strings.ContainsFunc(path[3:], notOfWindowsPath) || strings.HasSuffix(path, `\`) || strings.HasSuffix(path, "/") {
			return errors.New(`must name a program: on Windows by letters, digits and . _ - ~ alone, without blanks, ` +
				`since cmd.exe and PowerShell quote differently`)
		}
	case !strings.HasPrefix(path, "/"):
		return errors.New(`must name an absolute path on the host, such as installed:/usr/local/bin/muster-client`)
	case strings.HasSuffix(path, "/"):
		return errors.New("must name a program, not a folder")
	case strings.ContainsFunc(path, unicode.IsControl):
		return errControl
	}
	return nil
}

// onWindows reports whether a path on a host begins with a drive.
func onWindows(path string) bool {
	return len(path) > 2 && (path[0]|0x20) >= 'a' && (path[0]|0x20) <= 'z' && path[1] == ':' &&
		(path[2] == '\\' || path[2] == '/')
}

func notOfWindowsPath(c rune) bool {
	return notOfLabel(c) && !strings.ContainsRune(`\/.~`, c)
}

func (y *yesNo) parse(text string) error {
	var word string
	err := parseOneOf(&word, text, "yes", "no")
	*y = word == "yes"
	return err
}

// login is how a machine is reached and logged in to, as far as the document says. What it holds is shared by the machines
// of a group and never written to.
type login struct {
	said           said
	user           string
	port           int
	keys           []string
	certificates   []string
	passphrase     Secret
	agent          string
	password       Secret
	authentication []string
	knownHosts     []string
	hostKeys       string
	knownAs        string
	via            *way

	certificate *mark // certificate="…", where it is not taken away by key=""
	encrypted   *mark // passphrase="…", likewise
	restricted  *mark // authentication="…"

	userWrong, loginWrong, knownWrong bool // something was given, but is wrong
}

// said is what the document itself says of a login, be it that there is none: nothing else is asked for that.
type said struct {
	user, port, keys, certificates, agent, knownHosts, hostKeys, knownAs, via bool
}

// loginWithin returns how machines inside an element are logged in to.
func (r *resolver) loginWithin(e *loginAttributes, l login) login {
	if *e == (loginAttributes{}) {
		return l
	}
	if e.User != nil {
		l.said.user, l.user = true, string(e.User.or(""))
		l.userWrong = l.userWrong || e.User.wrong
	}
	if e.Port != nil {
		l.said.port, l.port = true, int(e.Port.or(sshPort))
	}
	if e.KnownHosts != nil {
		l.said.knownHosts, l.knownHosts = true, r.files(&e.KnownHosts.mark, e.KnownHosts.or(nil))
		l.knownWrong = l.knownWrong || e.KnownHosts.wrong
	}
	if e.KnownAs != nil {
		l.said.knownAs, l.knownAs = true, string(e.KnownAs.or(""))
	}
	l.said.hostKeys = l.said.hostKeys || e.HostKeys != nil
	l.hostKeys = string(e.HostKeys.or(hostKeys(l.hostKeys)))
	if e.Via != nil {
		l.said.via = true
		l.via = &way{mark: &e.Via.mark, names: e.Via.or(nil), outer: l.via}
	}
	r.proofs(e, &l)
	return l
}

// proofs takes what proves who logs in.
func (r *resolver) proofs(e *loginAttributes, l *login) {
	if e.Key != nil {
		l.said.keys, l.keys = true, r.files(&e.Key.mark, e.Key.or(nil))
		l.loginWrong = l.loginWrong || e.Key.wrong
		if len(l.keys) == 0 && !e.Key.wrong {
			// With the keys goes what belonged to them; to say it again here is a mistake.
			l.certificate, l.encrypted = nil, nil
		}
	}
	if e.Certificate != nil {
		l.said.certificates, l.certificates = true, r.files(&e.Certificate.mark, e.Certificate.or(nil))
		l.loginWrong = l.loginWrong || e.Certificate.wrong
		l.certificate = &e.Certificate.mark
	}
	if e.Passphrase != nil {
		l.passphrase = r.secret(e.Passphrase)
		l.loginWrong = l.loginWrong || e.Passphrase.wrong
		l.encrypted = &e.Passphrase.mark
	}
	if e.Agent != nil {
		l.said.agent, l.agent = true, r.agent(e.Agent)
		l.loginWrong = l.loginWrong || e.Agent.wrong
	}
	if e.Password != nil {
		l.password = r.secret(e.Password)
		l.loginWrong = l.loginWrong || e.Password.wrong
	}
	if e.Authentication != nil {
		l.authentication = e.Authentication.or(l.authentication)
		l.loginWrong = l.loginWrong || e.Authentication.wrong
		l.restricted = &e.Authentication.mark
	}
}

// agent returns the path of the socket to ask; empty: none.
func (r *resolver) agent(a *attribute[agent]) string {
	value, ok := a.given()
	switch {
	case !ok || value == none:
		return ""
	case value == agentVariable:
		socket, _ := r.environment.LookupEnv(agentVariable)
		if socket == "" {
			r.wrong(&a.mark, "the environment variable %s is not set: start an ssh-agent, or name its socket", agentVariable)
		}
		return socket
	}
	return r.resolved(&a.mark, string(value))
}

func (r *resolver) files(m *mark, list []string) []string {
	var files []string
	for _, path := range list {
		files = append(files, r.resolved(m, path))
	}
	return files
}

// settle completes a machine by the defaults of what the document does not say of its login, and checks what goes together.
func (r *resolver) settle(p *placed) {
	l, h := r.hinted(p), p.host
	h.Port, h.User = l.port, l.user
	h.Keys, h.Certificates, h.Passphrase, h.Agent = l.keys, l.certificates, l.passphrase, l.agent
	h.Password, h.Authentication = l.password, l.authentication
	h.KnownHosts, h.HostKeys, h.KnownAs = l.knownHosts, l.hostKeys, l.knownAs
	if !l.said.port {
		h.Port = sshPort
	}
	if !l.said.user {
		h.User = r.environment.User
	}
	if !l.said.knownHosts {
		h.KnownHosts = r.known
	}
	if len(h.Keys) == 0 {
		h.Passphrase = Secret{}
		if h.Agent == "" {
			h.Certificates = nil
		}
	}
	if h.User == "" && !l.userWrong {
		r.add(p.at, `%s has no user, and the name of your own is not known: `+
			`say user="…" here or in a group around it`, p.title)
	}
	r.checkLogin(p, l)
	if len(h.KnownHosts)+len(h.Fingerprints) == 0 && !l.knownWrong && !p.pinWrong {
		r.add(p.at, `%s has no host keys to be verified by: say known-hosts="…" here or in a group around it, `+
			"since your home directory is not known", p.title)
	}
}

// checkLogin notes what can't log in, and what has nothing to belong to.
func (r *resolver) checkLogin(p *placed, l *login) {
	h := p.host
	if l.loginWrong {
		return
	}
	hasKey := len(h.Keys) > 0 || h.Agent != ""
	if !hasKey && h.Password.Empty() {
		r.add(p.at, `%s has no way to log in: say key="…", agent="…" or password="…" here or in a group around it`,
			p.title)
		return
	}
	if len(l.certificates) > 0 && !hasKey && l.certificate != nil && !l.certificate.wrong {
		r.wrong(l.certificate, `needs the key that it certifies: say key="…" or agent="…" too`)
	}
	if !l.passphrase.Empty() && len(h.Keys) == 0 && l.encrypted != nil && !l.encrypted.wrong {
		r.wrong(l.encrypted, `needs the key that it opens: say key="…" too`)
	}
	usable := func(method string) bool {
		return hasKey && method == publicKey || !h.Password.Empty() && method != publicKey
	}
	if !slices.ContainsFunc(h.Authentication, usable) && l.restricted != nil && !l.restricted.wrong {
		has := `only a password, which publickey does not use`
		if hasKey {
			has = `only keys, which publickey alone uses`
		}
		r.wrong(l.restricted, "leaves the <%s> %s no way to log in: it has %s", p.kind, r.where(p.at, l.restricted.at), has)
	}
}

// checkPin notes what means nothing where a machine's own key is pinned beside it.
func (r *resolver) checkPin(pin *attribute[fingerprints], e *loginAttributes) {
	if pin == nil || pin.wrong {
		return
	}
	const pinned = `means nothing beside fingerprint="…", which alone says what the key must be: leave one of them out`
	if _, ok := e.KnownHosts.given(); ok {
		r.wrong(&e.KnownHosts.mark, pinned)
	}
	if _, ok := e.KnownAs.given(); ok {
		r.wrong(&e.KnownAs.mark, pinned)
	}
	if e.HostKeys.or(strict) != strict {
		r.wrong(&e.HostKeys.mark, pinned)
	}
}
