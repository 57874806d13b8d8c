package mail

import (
	"net"
	"slices"

	"github.com/wneessen/go-mail/smtp"
)

// mechanism returns the best way to log in that is offered, or nil. Those that hand the password over are for encrypted
// connections and for loopback. CRAM-MD5 comes last: few servers that offer it have the passwords it takes.
func mechanism(s *Server, offered []string, encrypted, loopback bool) smtp.Auth {
	has := func(name string) bool { return slices.Contains(offered, name) }
	clear := encrypted || loopback
	switch {
	case has("SCRAM-SHA-256"):
		return smtp.ScramSHA256Auth(s.Username, s.Password)
	case has("SCRAM-SHA-1"):
		return smtp.ScramSHA1Auth(s.Username, s.Password)
	case clear && has("PLAIN"):
		return smtp.PlainAuth("", s.Username, s.Password, s.Host, true)
	case clear && has("LOGIN"):
		return smtp.LoginAuth(s.Username, s.Password, s.Host, true)
	case has("CRAM-MD5"):
		return smtp.CRAMMD5Auth(s.Username, s.Password)
	}
	return nil
}

func isLoopback(address net.Addr) bool {
	tcp, ok := address.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}
