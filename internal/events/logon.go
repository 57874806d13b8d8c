package events

import (
	"net/netip"
	"strings"

	"muster/internal/report"
)

// Outcomes of a logon.
const (
	Accepted = "accepted"
	Failed   = "failed"
)

// Any asks for logons of either outcome.
const Any = "any"

// Logon is what a record says of somebody who logged in, or failed to. What the record does not say is empty.
type Logon struct {
	Outcome string // Accepted or Failed
	User    string // "alice", or `CORP\alice`; as it was given, so it may be of no account
	Address string // from where: an IP address, or the name of a machine
	Method  string // how: "password", "publickey", "remote desktop", "network", "Kerberos", "sudo" …
}

// Is reports whether it is a logon of this outcome: Accepted, Failed or Any. An empty Logon is none.
func (l Logon) Is(outcome string) bool {
	return l.Outcome != "" && (outcome == Any || outcome == l.Outcome)
}

// LogonKinds returns which records of a channel may be logons of an outcome (Accepted, Failed or Any): those that one of the
// filters selects, and no others. There are none for a channel that has no such records. What of them are logons LogonOf says.
//
// In the channel Security the Local Security Authority alone writes; System, Application and Setup get no audits, and OpenSSH
// has channels of its own. In any other channel there may be events that were forwarded from Security.
func LogonKinds(channel, outcome string) []report.Filter {
	if isLines(channel) {
		return []report.Filter{{}} // of any program that uses PAM
	}
	switch strings.ToLower(channel) {
	case "system", "application", "setup":
		return nil
	}
	var kinds []report.Filter
	audits := func(level report.Level, ids ...int64) {
		f := report.Filter{Providers: []string{auditing}, Levels: []report.Level{level}}
		for _, id := range ids {
			f.Events = append(f.Events, report.EventRange{First: id, Last: id})
		}
		kinds = append(kinds, f)
	}
	if outcome != Failed {
		audits(report.AuditSuccess, 4624)
	}
	if outcome != Accepted {
		audits(report.AuditFailure, 4625, 4768, 4771, 4776)
	}
	if !strings.EqualFold(channel, "Security") {
		kinds = append(kinds, report.Filter{Providers: []string{openSSH}})
	}
	return kinds
}

// isLines reports whether the records of a channel are lines of programs, and not events of Windows.
func isLines(channel string) bool {
	return channel == report.Journal || strings.HasPrefix(channel, report.FileChannel)
}

// LogonOf returns what a record of a channel says of a logon; an empty one and false where it is about something else, or is not the one
// record of an attempt that counts (see the package's comment). What the machine itself does is not a logon: accepted ones
// of Windows' own accounts (SYSTEM, LOCAL SERVICE, NETWORK SERVICE, those of windows and fonts).
//
// A line of a file is believed as it stands. Of the journal, which knows who wrote a line, one of sshd or PAM is believed
// where the program's own account or file could have written it. Of Windows, where anybody may write events in any
// provider's name, but without names for their data, one is believed that has the data of the audit.
func LogonOf(channel string, r *report.Record) (l Logon, ok bool) {
	switch {
	case isLines(channel):
		l, ok = unixLogon(program(r.Source), r.Message)
		ok = ok && genuine(channel, r)
	case strings.EqualFold(r.Source, openSSH): // as Windows has it: the line is in the data
		l, ok = unixLogon(program(field(r, "process")), field(r, "payload"))
	case strings.EqualFold(r.Source, auditing):
		l, _, ok = windowsLogon(r)
		ok = ok && l.Outcome != "" && has(r, "TargetUserName") && !ofMachine(r, l) && !repeated(r)
	}
	if !ok {
		return Logon{}, false
	}
	return l, true
}

// windowsLogon reads the events of logons, and why one failed. Outcome is empty where it was no decision.
func windowsLogon(r *report.Record) (l Logon, why string, ok bool) {
	l.User = account(r, "Target")
	l.Address = address(field(r, "IpAddress"))
	status := field(r, "Status")
	switch r.Event {
	case 4624:
		l.Outcome = Accepted
		l.Method = LogonType(field(r, "LogonType"))
		l.fromWorkstation(field(r, "WorkstationName"))
	case 4625:
		l.Outcome = Failed
		l.Method = LogonType(field(r, "LogonType"))
		l.fromWorkstation(field(r, "WorkstationName"))
		if why = reason(field(r, "SubStatus"), Status); why == "" {
			why = reason(status, Status)
		}
	case 4776:
		l.Method = "NTLM"
		l.fromWorkstation(field(r, "Workstation"))
		if why = reason(status, Status); why != "" {
			l.Outcome = Failed
		}
	case 4768, 4771:
		l.Method = "Kerberos"
		code, known := hexadecimal(status)
		if why = reason(status, Kerberos); why != "" && known && code != preauthenticationRequired && code != responseTooBig {
			l.Outcome = Failed
		}
	default:
		return Logon{}, "", false
	}
	return l, why, true
}

// fromWorkstation takes the name that a machine gives itself for where the logon came from, where there is no address. A
// machine that calls itself like an address is not believed.
func (l *Logon) fromWorkstation(name string) {
	name = strings.TrimLeft(name, `\`)
	if _, err := netip.ParseAddr(name); l.Address == "" && err != nil {
		l.Address = name
	}
}

// ofMachine says that an accepted logon is of an account that Windows has for itself.
func ofMachine(r *report.Record, l Logon) bool {
	if l.Outcome != Accepted {
		return false
	}
	sid := field(r, "TargetUserSid")
	switch sid {
	case "S-1-5-18", "S-1-5-19", "S-1-5-20", `NT AUTHORITY\SYSTEM`, `NT AUTHORITY\LOCAL SERVICE`, `NT AUTHORITY\NETWORK SERVICE`:
		return true
	}
	return strings.HasPrefix(sid, "S-1-5-90-") || strings.HasPrefix(sid, "S-1-5-96-")
}

// repeated says that a 4776 is of an attempt at this very machine, which wrote a 4625 of it too.
func repeated(r *report.Record) bool {
	if r.Event != 4776 {
		return false
	}
	name, _, _ := strings.Cut(r.Computer, ".")
	return name != "" && strings.EqualFold(strings.TrimLeft(field(r, "Workstation"), `\`), name)
}

// account returns the account that the fields of a prefix name, with its domain if it has one.
func account(r *report.Record, prefix string) string {
	user := field(r, prefix+"UserName")
	domain := field(r, prefix+"DomainName")
	if user == "" || domain == "" {
		return user
	}
	return domain + `\` + user
}

// address returns an address as people write it: an IPv4 address in the form of IPv6 as IPv4. What is none stays as it is.
func address(text string) string {
	a, err := netip.ParseAddr(text)
	if err != nil {
		return text
	}
	return a.Unmap().String()
}
