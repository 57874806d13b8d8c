package mail

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/textproto"
)

// advice returns what a person can do about a failure.
func (s *Sender) advice(e *Error) string {
	switch e.Step {
	case StepMessage:
		return "correct the address in the configuration"
	case StepConnect:
		return s.connectAdvice(e.Err)
	case StepGreeting:
		return s.greetingAdvice(e)
	case StepTLS:
		return s.tlsAdvice(e.Err)
	case StepLogin:
		return s.loginAdvice(e)
	}
	if e.Temporary {
		return "wait: the mail is to be sent again; if it goes on, look at the mail server's log"
	}
	switch e.Step {
	case StepSender:
		return "check from of <mail>: the server does not let this user send from this address"
	case StepRecipient:
		return "check the receiver's address, and that the server takes mail for it from this user"
	}
	return "look at the mail server's log"
}

func (s *Sender) connectAdvice(err error) string {
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return "check host of <mail> and that this machine can resolve names"
	}
	return "check host and port of <mail>, that the mail server runs, and that no firewall is in between"
}

func (s *Sender) greetingAdvice(e *Error) string {
	var protocol textproto.ProtocolError
	switch {
	case e.Code != 0 && e.Temporary:
		return "wait: the server is busy, or limits connections"
	case e.Code != 0:
		return "look at the mail server's log: it does not take connections from this machine"
	case s.server.Security != TLS:
		return fmt.Sprintf(`check port of <mail>: a server that waits for TLS (usual on port 465) needs security="%s"`, TLS)
	case errors.As(e.Err, &protocol):
		return "check host and port of <mail>: what answers there does not speak SMTP"
	}
	return "check host and port of <mail>, and look at the mail server's log"
}

func (s *Sender) tlsAdvice(err error) string {
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	var record tls.RecordHeaderError
	switch {
	case errors.Is(err, errNoSTARTTLS):
		return fmt.Sprintf(`use security="%s" if the port is made for it (465), or "%s" on a network that you trust`,
			TLS, None)
	case errors.As(err, &authority):
		return `name the PEM file of the authority that signed the server's certificate with ca="…"`
	case errors.As(err, &name):
		return "use a name for host of <mail> that is in the server's certificate"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "renew the server's certificate, or put right the clock of this machine"
	case errors.As(err, &record):
		return fmt.Sprintf(`the server does not begin with TLS on this port: use security="%s" (usual on port 587)`, STARTTLS)
	}
	return "look at the mail server's log, and at its certificate with openssl s_client"
}

func (s *Sender) loginAdvice(e *Error) string {
	switch {
	case errors.Is(e.Err, errNoMechanism) && s.server.Security == None:
		return fmt.Sprintf(`use security="%s" or "%s": passwords are not sent in the clear`, STARTTLS, TLS)
	case errors.Is(e.Err, errNoMechanism):
		return "remove username and password of <mail> if the server wants none, or let it offer PLAIN, LOGIN or SCRAM"
	case e.Temporary:
		return "wait: the server can't check passwords at present; if it goes on, look at its log"
	}
	return "check username and password of <mail>"
}
