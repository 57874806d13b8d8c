package events

import (
	"path"
	"strings"

	"muster/internal/report"
)

// program returns the name of the program that wrote a line, without its folder.
func program(source string) string {
	return source[strings.LastIndexByte(source, '/')+1:]
}

// genuine says of a line of the journal whether a program of that name may have written it. The journal adds the fields that
// begin with "_" itself: anybody may call himself sshd, but not be root, or run the system's file of the name. Where
// something of a record was left out that may have been the user's id. A line of a file says nothing of who wrote it.
func genuine(channel string, r *report.Record) bool {
	uid := field(r, "_UID")
	if channel != report.Journal || uid == "" && !r.Altered || uid == "0" {
		return true
	}
	file := field(r, "_EXE")
	switch path.Dir(file) {
	case "/bin", "/sbin", "/usr/bin", "/usr/sbin":
		return path.Base(file) == program(r.Source)
	}
	return false
}

// unixLogon reads a line of syslog.
func unixLogon(program, message string) (Logon, bool) {
	if inner, ok := strings.CutPrefix(message, "message repeated "); ok { // rsyslog
		if _, inner, ok = strings.Cut(inner, " times: [ "); ok {
			message = strings.TrimSuffix(inner, "]")
		}
	}
	switch program {
	case "sshd", "sshd-session", "sshd-auth":
		return sshLogon(message)
	case "dropbear":
		return dropbearLogon(message)
	}
	return pamLogon(message)
}

// sshLogon reads a line of OpenSSH's server (auth.c, auth_log; auth-pam.c). In a refusal the user is what a stranger sent,
// so it is read from the line's end; in an acceptance it is an account of the machine, and what a stranger may have had a
// say in, the name of a certificate, comes last.
func sshLogon(message string) (Logon, bool) {
	if rest, ok := strings.CutPrefix(message, "Accepted "); ok {
		method, rest, _ := strings.Cut(rest, " for ")
		user, rest, found := strings.Cut(rest, " from ")
		from, ok := sshSource(rest, true)
		return Logon{Outcome: Accepted, User: user, Address: from, Method: method}, found && ok
	}
	if rest, ok := strings.CutPrefix(message, "Failed "); ok {
		method, rest, found := strings.Cut(rest, " for ")
		rest, unknown := strings.CutPrefix(rest, "invalid user ")
		switch {
		case !found, method == "none", method == "publickey" && !unknown, strings.HasSuffix(method, "/pam"):
			return Logon{}, false
		}
		user, from, ok := sshRefused(rest)
		return Logon{Outcome: Failed, User: user, Address: from, Method: method}, ok
	}
	if rest, ok := strings.CutPrefix(message, "error: PAM: "); ok {
		said, rest, found := strings.Cut(rest, " for ")
		rest = strings.TrimPrefix(rest, "illegal user ")
		at := strings.LastIndex(rest, " from ")
		if !found || at < 0 || !strings.HasPrefix(strings.ToLower(said), "authentication ") {
			return Logon{}, false
		}
		from, _, _ := strings.Cut(rest[at+len(" from "):], " via ") // macOS names its own address too
		return Logon{Outcome: Failed, User: rest[:at], Address: host(from), Method: "keyboard-interactive"}, true
	}
	return Logon{}, false
}

// sshRefused reads "USER from ADDRESS port PORT ssh2" or, of a key, the same and ": TYPE FINGERPRINT". A certificate has
// the text of whoever made it behind that ("ID … (serial …) CA …"): where this leaves two readings, neither is taken.
func sshRefused(text string) (user, from string, ok bool) {
	const mark = " from "
	for end := len(text); ; {
		at := strings.LastIndex(text[:end], mark)
		if at < 0 {
			return "", "", false
		}
		if from, ok := sshSource(text[at+len(mark):], false); ok {
			if strings.Contains(text[at:], " ID ") && strings.Count(text, mark) > 1 {
				return "", "", true
			}
			return text[:at], from, true
		}
		end = at
	}
}

// sshSource reads "ADDRESS port PORT ssh2", and what may follow it: the key. known says that the key is one that is let in.
func sshSource(text string, known bool) (string, bool) {
	from, rest, found := strings.Cut(text, " port ")
	port, rest, spaced := strings.Cut(rest, " ")
	if !found || !spaced || !isNumber(port) || strings.Contains(from, " ") {
		return "", false
	}
	rest, key, keyed := strings.Cut(rest, ": ")
	switch {
	case rest != "ssh2" && rest != "ssh1" && rest != "ssh":
		return "", false
	case !keyed || known || strings.Contains(key, " ID "):
		return host(from), true
	}
	_, fingerprint, found := strings.Cut(key, " ")
	return host(from), found && !strings.Contains(fingerprint, " ")
}

// dropbearLogon reads a line of Dropbear's server (svr-authpasswd.c, svr-authpubkey.c, svr-auth.c). The names of users are
// those of accounts, but for those that it does not write.
func dropbearLogon(message string) (Logon, bool) {
	at := strings.LastIndex(message, " from ")
	if at < 0 {
		return Logon{}, false
	}
	l := Logon{Outcome: Accepted, Address: withoutPort(message[at+len(" from "):])}
	what, rest, quoted := strings.Cut(message[:at], " for '")
	l.User, _, _ = strings.Cut(rest, "'")
	switch {
	case !quoted && what == "Login attempt for nonexistent user":
		l.Outcome, l.User = Failed, ""
	case quoted && (what == "Bad password attempt" || what == "Bad PAM password attempt"):
		l.Outcome, l.Method = Failed, "password"
	case quoted && (what == "Password auth succeeded" || what == "PAM password auth succeeded"):
		l.Method = "password"
	case quoted && what == "Pubkey auth succeeded":
		l.Method = "publickey"
	default:
		return Logon{}, false
	}
	return l, true
}

// pamLogon reads a line that a module of PAM writes for the program: "pam_unix(SERVICE:auth): authentication failure; logname=…
// uid=… euid=… tty=… ruser=… rhost=…  user=…". The user comes last and is all that is left, for it may be anything.
func pamLogon(message string) (Logon, bool) {
	module, rest, _ := strings.Cut(message, "(")
	service, rest, found := strings.Cut(rest, ": ")
	service, kind, _ := strings.Cut(strings.TrimSuffix(service, ")"), ":")
	if !found || !strings.HasPrefix(module, "pam_") || strings.Contains(module, " ") || service == "sshd" {
		return Logon{}, false
	}
	if rest, ok := strings.CutPrefix(rest, "authentication failure; "); ok && kind == "auth" {
		l := Logon{Outcome: Failed, Method: service}
		if _, after, ok := strings.Cut(rest, " rhost="); ok {
			from, after, _ := strings.Cut(after, " ")
			l.Address = host(from)
			l.User = strings.TrimPrefix(strings.TrimLeft(after, " "), "user=")
		}
		return l, true
	}
	if rest, ok := strings.CutPrefix(rest, "session opened for user "); ok && kind == "session" && isLogin(service) {
		user, _, _ := strings.Cut(rest, " by ")
		user, _, _ = strings.Cut(user, "(uid=")
		return Logon{Outcome: Accepted, User: user, Method: service}, true
	}
	return Logon{}, false
}

// isLogin reports whether a service lets somebody in at the machine itself. Other programs open sessions for what is no
// logon (cron, sudo, su), or say themselves who came (sshd).
func isLogin(service string) bool {
	switch service {
	case "login", "remote", "gdm-password", "gdm-fingerprint", "gdm-smartcard", "gdm-autologin", "lightdm", "lightdm-autologin",
		"sddm", "sddm-autologin", "xdm", "lxdm", "xrdp-sesman", "cockpit":
		return true
	}
	return false
}

// host returns where a line says that somebody came from; "" for what programs write where they do not know.
func host(text string) string {
	switch text {
	case "UNKNOWN", "unknown", "?":
		return ""
	}
	return address(text)
}

// withoutPort returns the address of ADDRESS:PORT.
func withoutPort(text string) string {
	if i := strings.LastIndexByte(text, ':'); i > 0 && isNumber(text[i+1:]) {
		text = strings.Trim(text[:i], "[]")
	}
	return host(text)
}

func isNumber(text string) bool {
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return false
		}
	}
	return text != ""
}
