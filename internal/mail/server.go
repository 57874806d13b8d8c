package mail

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/mail"
	"os"
	"strconv"
	"strings"
	"time"
)

// How a connection is encrypted.
const (
	None     = "none"     // not at all
	STARTTLS = "starttls" // from the start, before anything else is said; a server that does not offer it is not used
	TLS      = "tls"      // TLS from the first byte (RFC 8314)
)

// DefaultTimeout bounds each step where the configuration says nothing. It is well below what the end of a sweep has for
// all of its mails: a server that falls silent is to be named as such, by the step at which it did.
const DefaultTimeout = 10 * time.Second

// Server is an SMTP server and how to use it. It never prints its password.
type Server struct {
	Host     string
	Port     int
	Security string        // None, STARTTLS or TLS
	Username string        // empty: no login
	Password string        //
	From     string        // RFC 5322 address
	CA       string        // PEM file of the authority that signed the server's certificate; empty: the system's
	Timeout  time.Duration // of each step; 0: DefaultTimeout
}

// String returns host and port.
func (s Server) String() string { return net.JoinHostPort(s.Host, strconv.Itoa(s.Port)) }

// GoString is String.
func (s Server) GoString() string { return s.String() }

// LogValue is String.
func (s Server) LogValue() slog.Value { return slog.StringValue(s.String()) }

// Sender hands messages to one SMTP server. It holds no connection and is safe for concurrent use.
type Sender struct {
	server Server
	tls    *tls.Config
	domain string // of the Message-IDs
	name   string // this machine's, for EHLO
}

// New checks what it is given, reads the CA file, and returns a sender. It does not connect.
func New(s Server) (*Sender, error) {
	if s.Timeout == 0 {
		s.Timeout = DefaultTimeout
	}
	from, err := mail.ParseAddress(s.From)
	switch {
	case s.Host == "":
		return nil, errors.New("mail server: no host")
	case s.Port < 1 || s.Port > 65535:
		return nil, fmt.Errorf("mail server: port %d is not within 1 and 65535", s.Port)
	case s.Security != None && s.Security != STARTTLS && s.Security != TLS:
		return nil, fmt.Errorf("mail server: security %q is none of %s, %s and %s", s.Security, None, STARTTLS, TLS)
	case s.Timeout < 0:
		return nil, fmt.Errorf("mail server: timeout %v is negative", s.Timeout)
	case err != nil:
		return nil, fmt.Errorf("mail server: the sender's address %q: %w", s.From, err)
	case s.Username == "" && s.Password != "":
		return nil, errors.New("mail server: a password without a username")
	}
	roots, err := authorities(s.CA)
	if err != nil {
		return nil, err
	}
	_, domain, _ := strings.Cut(from.Address[strings.LastIndex(from.Address, "@"):], "@")
	return &Sender{
		server: s,
		tls:    &tls.Config{ServerName: s.Host, RootCAs: roots, MinVersion: tls.VersionTLS12},
		domain: domain,
		name:   localName(),
	}, nil
}

// authorities reads a PEM file of certificates; nil: the system's.
func authorities(path string) (*x509.CertPool, error) {
	if path == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("mail server: certificate authority: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("mail server: certificate authority: no certificate in PEM in %s", path)
	}
	return pool, nil
}

// localName returns this machine's name as EHLO takes it: a domain (RFC 5321, section 4.1.1.1).
func localName() string {
	name, err := os.Hostname()
	if err != nil || name == "" || strings.Trim(strings.ToLower(name), "abcdefghijklmnopqrstuvwxyz0123456789-.") != "" {
		return "localhost"
	}
	return name
}

func (s *Sender) address() string { return s.server.String() }

// secrets returns the forms in which the password is on the wire.
func (s *Sender) secrets() []string {
	password := s.server.Password
	if password == "" {
		return nil
	}
	encode := base64.StdEncoding.EncodeToString
	return []string{
		encode([]byte("\x00" + s.server.Username + "\x00" + password)),
		encode([]byte(password)),
		password,
	}
}
