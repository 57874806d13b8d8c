package config

import (
	"path/filepath"
	"strings"
	"time"

	"muster/internal/report"
)

// longestSecret is the size in bytes of the largest file that is read as a secret.
const longestSecret = 64 << 10

// resolver makes a Config of a document that was read: it adds defaults, inherits, finds files and secrets, and notes
// what is wrong beyond the syntax of single values. A value that is wrong is passed over, so that one mistake is not
// reported again by everything that depends on it.
type resolver struct {
	*notes
	environment Environment
	statistics  map[string]report.Definition
	names       []string  // of statistics
	incomplete  bool      // a command was not run, so that hosts are missing
	known       []string  // files of host keys, where the document names none
	machines    []*placed // hosts and jump hosts, in the order of the document once all are there
	jumps       []string  // their names
	byName      map[string]*placed
	implied     map[implied]*Host
	overridden  map[overridden]*Host
	implying    []string        // the machines outside of the document whose way is being found
	doubted     map[string]bool // addresses in via="…" that may be misspelt names
	config      *Config
	ssh         sshHints
	unmailed    map[*mark]bool // what is to be mailed and has no receiver, where that was said
	receivers   *mark          // the first mail="…" that names somebody; nil: there is none
}

func (r *resolver) resolve(file string, root *musterElement) *Config {
	r.learnStatistics()
	config := &Config{File: file}
	r.config = config
	if root.Server == nil {
		root.Server = &serverElement{element: root.element}
	}
	config.Server = r.server(root.Server)
	r.readSSHConfig(root, config.Server.SSHConfig)
	config.Database = r.database(root.Database, config.Server)
	config.Queue = r.queue(root.Queue)
	config.Mail = r.mail(root.Mail)
	config.Hosts = r.fleet(root, config.Mail)
	r.doubt(root, config)
	return config
}

func (r *resolver) server(e *serverElement) Server {
	s := Server{
		Data:      r.file(e.Data),
		Interval:  r.between(e.Interval, time.Minute, time.Second, 30*24*time.Hour),
		Parallel:  int(e.Parallel.or(256)),
		LogLevel:  string(e.LogLevel.or("info")),
		LogFormat: string(e.LogFormat.or("text")),
		LogFile:   r.optionalFile(e.LogFile),
		Listen:    string(e.Listen.or("")),
		SSHConfig: r.sshConfig(e.SSHConfig),
	}
	s.Spread = r.between(e.Spread, min(s.Interval/10, longestSpread), 0, 30*24*time.Hour)
	if s.Spread > s.Interval {
		r.wrong(&e.Spread.mark, "must not be longer than the interval of the visits, %s", spell(s.Interval))
	}
	s.Backoff = r.between(e.Backoff, max(s.Interval, 5*time.Minute), 0, 30*24*time.Hour)
	if e.Data == nil {
		data, ok := r.environment.dataDirectory()
		if !ok {
			r.add(e.at, `no data directory: say <server data="…"/>, since your home directory is not known`)
		}
		s.Data = data
	}
	return s
}

// longestSpread is over how long the visits of a sweep begin unless the configuration says otherwise: nobody waits longer
// for a sweep that was only spread to be kind.
const longestSpread = 30 * time.Second

// sshConfig returns the path of the ssh_config that is read: the user's, where there is one.
func (r *resolver) sshConfig(a *attribute[optionalPath]) string {
	if a != nil {
		return r.optionalFile(a)
	}
	path := filepath.Join(r.environment.Home, ".ssh", "config")
	if r.environment.Home == "" || !r.environment.Exists(path) {
		return ""
	}
	return path
}

// longestKeep is a hundred years: nobody keeps statistics longer, and times stay within what databases know.
const longestKeep = 36500 * 24 * time.Hour

func (r *resolver) database(e *databaseElement, server Server) Database {
	own := "sqlite:" + filepath.Join(server.Data, "muster.db")
	if e == nil {
		return Database{URL: own}
	}
	d := Database{Password: r.secret(e.Password), Keep: r.between(e.Keep, 0, 24*time.Hour, longestKeep)}
	url, ok := e.URL.given()
	switch {
	case e.URL == nil:
		d.URL = own
	case !ok:
		return d
	case url.server != "":
		d.URL = url.server
	default:
		d.URL = "sqlite:" + r.resolved(&e.URL.mark, url.sqlite)
	}
	if e.Password != nil && url.server == "" {
		r.wrong(&e.Password.mark, "SQLite has no passwords: leave it out")
	}
	if d.Keep > 0 && d.Keep <= server.Interval {
		r.wrong(&e.Keep.mark, "must be longer than the interval of the visits, %s", spell(server.Interval))
	}
	return d
}

func (r *resolver) mail(e *mailElement) *Mail {
	if e == nil {
		return nil
	}
	m := &Mail{
		Host:     string(e.Host.or("")),
		Security: string(e.Security.or("starttls")),
		Username: string(e.Username.or("")),
		Password: r.secret(e.Password),
		From:     string(e.From.or("")),
		To:       e.To.or(nil),
		CA:       r.optionalFile(e.CA),
		Timeout:  r.between(e.Timeout, 10*time.Second, shortest, time.Hour),
	}
	m.Port = int(e.Port.or(port(mailPort(m.Security))))
	r.noteReceivers(e.To)
	r.authentication(e)
	if m.Security == "none" && m.CA != "" {
		r.wrong(&e.CA.mark, `means nothing with security="none", where there is no certificate: leave one of them out`)
	}
	return m
}

func mailPort(security string) int {
	switch security {
	case "tls":
		return 465
	case "none":
		return 25
	}
	return 587
}

// authentication checks what goes together for the mail server.
func (r *resolver) authentication(e *mailElement) {
	literalNone := e.Password != nil && !e.Password.wrong && e.Password.value == ""
	hasPassword := e.Password != nil && !literalNone
	switch {
	case e.Username != nil && !hasPassword:
		r.wrong(&e.Username.mark, `needs password="…" beside it`)
	case e.Username == nil && hasPassword:
		r.wrong(&e.Password.mark, `needs username="…" beside it`)
	}
	host, known := e.Host.given()
	if hasPassword && e.Security.or("starttls") == "none" && known && !host.loopback() {
		r.wrong(&e.Security.mark, "would send the password over the network for everyone to read: use starttls or tls")
	}
}

// between returns a duration's value, or a default where it is not given, and notes one that is out of range.
func (r *resolver) between(a *attribute[duration], otherwise, least, most time.Duration) time.Duration {
	value, ok := a.given()
	if !ok {
		return otherwise
	}
	d := time.Duration(value)
	if d < least || d > most {
		r.wrong(&a.mark, "must be from %s to %s", spell(least), spell(most))
		return otherwise
	}
	return d
}

// spell returns a duration as a person writes it: the largest unit that divides it.
func spell(d time.Duration) string {
	if d >= 24*time.Hour && d%(24*time.Hour) == 0 {
		return strings.TrimSuffix((d/24).String(), "h0m0s") + "d"
	}
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

func (r *resolver) file(a *attribute[path]) string {
	value, ok := a.given()
	if !ok {
		return ""
	}
	return r.resolved(&a.mark, string(value))
}

func (r *resolver) optionalFile(a *attribute[optionalPath]) string {
	value, ok := a.given()
	if !ok || value == "" {
		return ""
	}
	return r.resolved(&a.mark, string(value))
}

// resolved returns a path with ~ expanded and, where it is relative, beginning at the folder of the file it stands in.
func (r *resolver) resolved(m *mark, path string) string {
	if rest, ok := strings.CutPrefix(path, "~"); ok {
		if r.environment.Home == "" {
			r.wrong(m, "your home directory is not known: write the path without ~")
			return ""
		}
		return filepath.Join(r.environment.Home, rest)
	}
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(r.source(m.at).folder, path)
}

// secret finds a password: in the environment, in a file, or in the attribute itself.
func (r *resolver) secret(a *attribute[password]) Secret {
	value, ok := a.given()
	switch {
	case !ok || value == "":
		return Secret{}
	case a.printed:
		return NewSecret(string(value))
	}
	if variable, ok := strings.CutPrefix(string(value), "env:"); ok {
		return r.secretOfVariable(&a.mark, variable)
	}
	if file, ok := strings.CutPrefix(string(value), "file:"); ok {
		return r.secretOfFile(&a.mark, r.resolved(&a.mark, file))
	}
	if access := r.source(a.at).access; access.exposed() {
		r.wrong(&a.mark, "others can read this file (its mode is %04o), so it may hold no %s: "+
			"chmod 600 it, or say env:NAME or file:PATH", access.Mode.Perm(), a.name)
	}
	return NewSecret(string(value))
}

func (r *resolver) secretOfVariable(m *mark, variable string) Secret {
	value, set := r.environment.LookupEnv(variable)
	switch {
	case !set:
		r.wrong(m, "the environment variable %s is not set", quoted(variable))
	case value == "":
		r.wrong(m, "the environment variable %s is empty", quoted(variable))
	}
	return NewSecret(value)
}

func (r *resolver) secretOfFile(m *mark, path string) Secret {
	if m.wrong {
		return Secret{}
	}
	content, access, err := r.environment.ReadFile(path, longestSecret)
	if err != nil {
		r.wrong(m, "the file %s can't be read: %v", quoted(path), err)
		return Secret{}
	}
	text := strings.TrimSuffix(strings.TrimSuffix(string(content), "\n"), "\r")
	switch {
	case access.exposed():
		r.wrong(m, "others can read the file %s (its mode is %04o): chmod 600 it", quoted(path), access.Mode.Perm())
	case text == "":
		r.wrong(m, "the file %s is empty", quoted(path))
	case strings.ContainsAny(text, "\r\n\x00"):
		r.wrong(m, "the file %s holds more than one line: a %s is one line", quoted(path), m.name)
	}
	return NewSecret(text)
}

// noteReceivers remembers that somebody is to get mails.
func (r *resolver) noteReceivers(a *attribute[mailboxes]) {
	if r.receivers == nil && a != nil && (a.wrong || len(a.value) > 0) {
		r.receivers = &a.mark
	}
}

// doubt warns of what is allowed but hardly meant.
func (r *resolver) doubt(root *musterElement, config *Config) {
	switch {
	case config.Mail == nil && r.receivers != nil:
		r.warn(r.receivers.at, "%s: nobody is mailed without <mail>, alerts are only logged and stored", r.receivers)
	case config.Mail != nil && r.receivers == nil:
		r.warn(root.Mail.at, `nobody is mailed: name receivers by to="…" here, or by mail="…" of a group or host`)
	}
	if len(config.Hosts) == 0 && !r.incomplete {
		r.warn(root.at, "there is no <host>: nothing will be visited")
	}
}
