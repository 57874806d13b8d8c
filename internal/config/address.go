package config

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"muster/internal/dburl"
)

// parse reads a host name (RFC 1123, with underscores, which real networks have) or an IP address, an IPv6 address with
// or without brackets. An IP address is kept in its canonical form (RFC 5952).
func (a *address) parse(text string) error {
	text = trimmed(text)
	switch {
	case text == "":
		return errEmpty
	case strings.Contains(text, "://"):
		return errors.New("must be a host name or an IP address alone: leave out the part up to //")
	case strings.Contains(text, "@"):
		return errors.New(`must be a host name or an IP address alone: say user="…" for the part before @`)
	}
	bare := text
	if inner, ok := strings.CutPrefix(text, "["); ok {
		inner, after, closed := strings.Cut(inner, "]")
		if strings.HasPrefix(after, ":") {
			return errors.New(`must be a host name or an IP address alone: say port="…" for the part after the brackets`)
		}
		if !closed || after != "" || !strings.Contains(inner, ":") {
			return errors.New("only an IPv6 address stands in brackets")
		}
		bare = inner
	}
	if ip, err := netip.ParseAddr(bare); err == nil {
		*a = address(ip.String())
		return nil
	}
	if host, after, found := strings.Cut(bare, ":"); found {
		if host != "" && digits(after) == len(after) {
			return errors.New(`must be a host name or an IP address alone: say port="…" for the part after the colon`)
		}
		return errors.New("is not an IPv6 address")
	}
	*a = address(bare)
	return hostName(bare)
}

// hostName says what is wrong with a host name.
func hostName(text string) error {
	labels := strings.Split(strings.TrimSuffix(text, "."), ".")
	for _, label := range labels {
		switch {
		case label == "" || len(label) > 63:
			return errors.New("is not a host name: between the dots stand 1 to 63 characters")
		case strings.ContainsFunc(label, func(c rune) bool { return c >= utf8.RuneSelf }):
			return errors.New("is not a host name as the network knows it: write names beyond ASCII in Punycode")
		case strings.ContainsFunc(label, notOfLabel):
			return errors.New("is not a host name: it holds other characters than letters, digits, -, _ and dots")
		case label[0] == '-' || label[len(label)-1] == '-':
			return errors.New("is not a host name: no part of it begins or ends with -")
		}
	}
	if last := labels[len(labels)-1]; digits(last) == len(last) {
		return errors.New("is not an IPv4 address (four numbers from 0 to 255), and no host name ends in a number")
	}
	if len(text) > 253 {
		return errors.New("is not a host name: it is longer than 253 characters")
	}
	return nil
}

func notOfLabel(c rune) bool {
	return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_'
}

// loopback reports whether an address is this machine, so that nothing sent there crosses a network.
func (a address) loopback() bool {
	if ip, err := netip.ParseAddr(string(a)); err == nil {
		return ip.Unmap().IsLoopback()
	}
	host := strings.ToLower(strings.TrimSuffix(string(a), "."))
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// parseEndpoint reads a host and a port with a colon between them, an IPv6 address in brackets. The port is 0 where there
// is neither a colon nor a port.
func parseEndpoint(text string) (host address, number int, err error) {
	bare := text
	if colon := strings.LastIndexByte(text, ':'); colon > strings.LastIndexByte(text, ']') {
		var p port
		if err := p.parse(text[colon+1:]); err != nil {
			return "", 0, fmt.Errorf("the port %w", err)
		}
		bare, number = text[:colon], int(p)
	}
	if trimmed(bare) != bare {
		return "", 0, errors.New("must not hold spaces")
	}
	if strings.Contains(bare, ":") && !strings.HasPrefix(bare, "[") {
		return "", 0, errors.New("an IPv6 address with a port stands in brackets, as in [::1]:9677")
	}
	if err := host.parse(bare); err != nil {
		return "", 0, fmt.Errorf("the host %w", err)
	}
	return host, number, nil
}

// parse reads where to listen. To leave the host out means every network to most programs, which nobody should get by
// leaving something out.
func (l *listen) parse(text string) error {
	text = trimmed(text)
	*l = listen(text)
	if port, found := strings.CutPrefix(text, ":"); found && port != "" && digits(port) == len(port) {
		return fmt.Errorf("must name an address too: 127.0.0.1%s for this machine alone, 0.0.0.0%s for every network",
			text, text)
	}
	host, number, err := parseEndpoint(text)
	switch {
	case text == "" || strings.Contains(text, "/") || err == nil && number == 0:
		return errors.New("must be an address and a port, such as 127.0.0.1:9677")
	case err != nil:
		return err
	}
	*l = listen(net.JoinHostPort(string(host), strconv.Itoa(number)))
	return nil
}

var errPasswordInURL = errors.New(`must not hold a password: say password="env:NAME" or password="file:PATH" beside it`)

// databaseURL names a database: a file of SQLite, or the URL of a server without a password.
type databaseURL struct {
	sqlite string // the path; empty: it is a server
	server string // the URL, its scheme mysql or postgres
}

// confidential: people write passwords into such URLs.
func (d *databaseURL) confidential() {}

func (d *databaseURL) parse(text string) error {
	text = trimmed(text)
	scheme, rest, _ := strings.Cut(text, ":")
	switch scheme {
	case "sqlite":
		return d.parseFile(rest)
	case "mysql", "mariadb":
		return d.parseServer("mysql", text)
	case "postgres", "postgresql":
		return d.parseServer("postgres", text)
	}
	return errors.New("must begin with sqlite:, mysql://, mariadb:// or postgres://")
}

func (d *databaseURL) parseFile(file string) error {
	var p path
	switch {
	case file == "":
		return errors.New("sqlite: must be followed by a path")
	case file == ":memory:":
		return errors.New("a database in memory would forget everything: name a file, as in sqlite:muster.db")
	case strings.HasPrefix(file, "//") && !strings.HasPrefix(file, "///"):
		return errors.New("must be sqlite: with a path, and no // before it")
	case strings.ContainsAny(file, "?#"):
		return errors.New("must be sqlite: with a path alone, which holds no ? and no #")
	}
	err := p.parse(file)
	d.sqlite = string(p)
	return err
}

func (d *databaseURL) parseServer(scheme, text string) error {
	form := fmt.Errorf("must be %s://user@host/name, or %s://user@host:port/name", scheme, scheme)
	_, rest, found := strings.Cut(text, "://")
	if !found {
		return form
	}
	// By hand first: a password with characters that mean something in a URL would not parse as one.
	if user, _, found := strings.Cut(rest, "@"); found && strings.Contains(user, ":") {
		return errPasswordInURL
	}
	u, err := url.Parse(text)
	if err == nil && u.User != nil {
		if _, set := u.User.Password(); set {
			return errPasswordInURL
		}
	}
	if err != nil || u.User == nil || u.User.Username() == "" || u.Fragment != "" {
		return form
	}
	var host address
	if err := host.parse(u.Hostname()); err != nil {
		return fmt.Errorf("the host %w", err)
	}
	if u.Port() != "" {
		var p port
		if err := p.parse(u.Port()); err != nil {
			return fmt.Errorf("the port %w", err)
		}
	}
	database := strings.TrimPrefix(u.Path, "/")
	if database == "" || strings.Contains(database, "/") || strings.ContainsFunc(database, unprintable) {
		return form
	}
	if err := parameters(scheme, u.RawQuery); err != nil {
		return err
	}
	u.Scheme = scheme
	d.server = u.String()
	return nil
}

// parameters checks what follows the ? of a URL: what would say again, or say otherwise, what the rest of the
// configuration says, does not belong there, and neither does what nobody knows.
func parameters(scheme, query string) error {
	values, err := url.ParseQuery(query)
	if err != nil {
		return errors.New("the parameters after ? must be name=value with & between them")
	}
	known := dburl.MySQL()
	if scheme == "postgres" {
		known = dburl.Postgres()
	}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		switch strings.ToLower(key) {
		case "password", "passwd", "pwd", "sslpassword":
			return errPasswordInURL
		case "user", "host", "hostaddr", "port", "dbname", "database":
			if _, ok := dburl.Find(known, key); !ok {
				return fmt.Errorf("must not hold the parameter %s: it belongs before the ?", strings.ToLower(key))
			}
		}
		if err := parameter(known, key, values[key]); err != nil {
			return err
		}
	}
	return nil
}

// parameter checks one parameter. Its value is told only where its name is known: it may be a secret otherwise.
func parameter(known []dburl.Parameter, key string, values []string) error {
	p, ok := dburl.Find(known, key)
	if !ok {
		names := make([]string, len(known))
		for i, p := range known {
			names[i] = p.Name
		}
		return fmt.Errorf("there is no parameter %s: %s", quoted(key), suggestion(key, names, "%s"))
	}
	if len(values) > 1 {
		return fmt.Errorf("holds the parameter %s twice", key)
	}
	if err := p.Check(values[0]); err != nil {
		return fmt.Errorf("the parameter %s=%s %w", key, quoted(values[0]), err)
	}
	return nil
}
