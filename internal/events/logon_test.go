package events

import (
	"slices"
	"strings"
	"testing"

	"muster/internal/report"
)

// line is a record as the readers of files and of the journal make one.
func line(program, message string, data ...report.Field) *report.Record {
	return &report.Record{ID: 1, Source: program, Message: message, Data: data}
}

// attempts are lines and what they say; a zero Logon: nothing that counts.
var attempts = []struct {
	name, program, message string
	want                   Logon
}{
	{"password refused", "sshd", "Failed password for root from 192.0.2.7 port 5555 ssh2", Logon{Failed, "root", "192.0.2.7", "password"}},
	{"of nobody", "sshd", "Failed password for invalid user bob from 192.0.2.7 port 5555 ssh2", Logon{Failed, "bob", "192.0.2.7", "password"}},
	{"without a name", "sshd", "Failed password for invalid user  from 192.0.2.7 port 5555 ssh2", Logon{Failed, "", "192.0.2.7", "password"}},
	{"IPv6", "sshd-session", "Failed password for root from 2001:db8::1 port 5555 ssh2", Logon{Failed, "root", "2001:db8::1", "password"}},
	{"IPv4 in IPv6", "/usr/sbin/sshd", "Failed password for root from ::ffff:192.0.2.7 port 5555 ssh2", Logon{Failed, "root", "192.0.2.7", "password"}},
	{"a name with blanks", "sshd", "Failed password for invalid user a b c from 192.0.2.7 port 5555 ssh2", Logon{Failed, "a b c", "192.0.2.7", "password"}},
	{"a name that claims an address", "sshd", "Failed password for invalid user root from 10.0.0.1 port 22 ssh2 from 192.0.2.7 port 5555 ssh2",
		Logon{Failed, "root from 10.0.0.1 port 22 ssh2", "192.0.2.7", "password"}},
	{"a name that claims an address and a key", "sshd", "Failed password for invalid user x from 10.0.0.1 port 22 ssh2: RSA SHA256:a from 192.0.2.7 port 5 ssh2",
		Logon{Failed, "x from 10.0.0.1 port 22 ssh2: RSA SHA256:a", "192.0.2.7", "password"}},
	{"a name that ends in from", "sshd", "Failed password for invalid user x from  from 192.0.2.7 port 5 ssh2", Logon{Failed, "x from ", "192.0.2.7", "password"}},
	{"said several times", "sshd", "message repeated 2 times: [ Failed password for root from 192.0.2.7 port 5555 ssh2]", Logon{Failed, "root", "192.0.2.7", "password"}},
	{"BSD's way to ask", "sshd", "Failed keyboard-interactive/bsdauth for bob from 192.0.2.7 port 5 ssh2", Logon{Failed, "bob", "192.0.2.7", "keyboard-interactive/bsdauth"}},
	{"PAM asked", "sshd", "error: PAM: Authentication failure for root from 192.0.2.7", Logon{Failed, "root", "192.0.2.7", "keyboard-interactive"}},
	{"PAM asked nobody", "sshd", "error: PAM: Authentication error for illegal user x from 6.6.6.6 from 192.0.2.7", Logon{Failed, "x from 6.6.6.6", "192.0.2.7", "keyboard-interactive"}},
	{"PAM on a Mac", "sshd", "error: PAM: authentication error for ann from 192.0.2.7 via 10.0.0.1", Logon{Failed, "ann", "192.0.2.7", "keyboard-interactive"}},
	{"PAM asked, and this comes too", "sshd", "Failed keyboard-interactive/pam for root from 192.0.2.7 port 5 ssh2", Logon{}},
	{"a key of nobody", "sshd", "Failed publickey for invalid user bob from 192.0.2.7 port 5 ssh2: RSA SHA256:abc", Logon{Failed, "bob", "192.0.2.7", "publickey"}},
	{"a certificate of nobody", "sshd", "Failed publickey for invalid user bob from 192.0.2.7 port 5 ssh2: RSA-CERT SHA256:abc ID mine (serial 0) CA RSA SHA256:def", Logon{Failed, "bob", "192.0.2.7", "publickey"}},
	{"a certificate that claims an address", "sshd",
		"Failed publickey for invalid user bob from 192.0.2.7 port 5 ssh2: RSA-CERT SHA256:abc ID x from 6.6.6.6 port 1 ssh2 (serial 0) CA RSA SHA256:def", Logon{Failed, "", "", "publickey"}},
	{"a certificate that claims another", "sshd",
		"Failed publickey for invalid user bob from 192.0.2.7 port 5 ssh2: RSA-CERT SHA256:abc ID x from 6.6.6.6 port 1 ssh2: RSA SHA256:q ID z (serial 0) CA RSA SHA256:def", Logon{Failed, "", "", "publickey"}},
	{"one key of several", "sshd", "Failed publickey for root from 192.0.2.7 port 5 ssh2: RSA SHA256:abc", Logon{}},
	{"what may be tried", "sshd", "Failed none for invalid user bob from 192.0.2.7 port 5 ssh2", Logon{}},
	{"comes before", "sshd", "Invalid user bob from 192.0.2.7 port 5555", Logon{}},
	{"comes after", "sshd", "Connection closed by authenticating user root 192.0.2.7 port 5555 [preauth]", Logon{}},
	{"comes at the end", "sshd", "error: maximum authentication attempts exceeded for root from 192.0.2.7 port 5 ssh2 [preauth]", Logon{}},
	{"PAM's own line", "sshd", "pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7  user=root", Logon{}},
	{"PAM's line of an sshd by another name", "ssh-internal", "pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7  user=root", Logon{}},
	{"a refusal that is cut", "sshd", "Failed password for root from 192.0.2.7 port", Logon{}},
	{"by key", "sshd", "Accepted publickey for root from 192.0.2.7 port 5 ssh2: ED25519 SHA256:abc", Logon{Accepted, "root", "192.0.2.7", "publickey"}},
	{"by password", "sshd", "Accepted password for ann from 2001:db8::1 port 5 ssh2", Logon{Accepted, "ann", "2001:db8::1", "password"}},
	{"by certificate", "sshd", "Accepted publickey for ann from 192.0.2.7 port 5 ssh2: RSA-CERT SHA256:abc ID x from 6.6.6.6 port 1 ssh2 (serial 1) CA RSA SHA256:def", Logon{Accepted, "ann", "192.0.2.7", "publickey"}},
	{"by two ways", "sshd", "Accepted keyboard-interactive/pam for ann from 192.0.2.7 port 5 ssh2", Logon{Accepted, "ann", "192.0.2.7", "keyboard-interactive/pam"}},
	{"another program says so", "myapp", "Failed password for root from 192.0.2.7 port 5555 ssh2", Logon{}},

	{"sudo", "sudo", "pam_unix(sudo:auth): authentication failure; logname=ann uid=1000 euid=0 tty=/dev/pts/0 ruser=ann rhost=  user=ann", Logon{Failed, "ann", "", "sudo"}},
	{"sudo's summary", "sudo", "     ann : 3 incorrect password attempts ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/sh", Logon{}},
	{"sudo's session", "sudo", "pam_unix(sudo:session): session opened for user root(uid=0) by ann(uid=1000)", Logon{}},
	{"su", "su", "pam_unix(su:auth): authentication failure; logname=ann uid=1000 euid=0 tty=/dev/pts/0 ruser=ann rhost=  user=root", Logon{Failed, "root", "", "su"}},
	{"su's summary", "su", "FAILED SU (to root) ann on pts/0", Logon{}},
	{"a directory's users", "vsftpd", "pam_sss(vsftpd:auth): authentication failure; logname= uid=0 euid=0 tty=ftp ruser=ann rhost=198.51.100.4 user=ann", Logon{Failed, "ann", "198.51.100.4", "vsftpd"}},
	{"nobody", "login", "pam_unix(login:auth): authentication failure; logname=LOGIN uid=0 euid=0 tty=/dev/tty1 ruser= rhost=", Logon{Failed, "", "", "login"}},
	{"a name that claims an address to PAM", "vsftpd", "pam_sss(vsftpd:auth): authentication failure; logname= uid=0 euid=0 tty=ftp ruser= rhost=198.51.100.4 user=x rhost=6.6.6.6 user=root",
		Logon{Failed, "x rhost=6.6.6.6 user=root", "198.51.100.4", "vsftpd"}},
	{"more of them, which were said already", "su", "pam_unix(su:auth): 2 more authentication failures; logname=ann uid=1000 euid=0 tty=pts/0 ruser=ann rhost=  user=root", Logon{}},
	{"login's own", "login", "FAILED LOGIN (1) on '/dev/tty1' FOR 'ann', Authentication failure", Logon{}},
	{"at the console", "login", "pam_unix(login:session): session opened for user ann(uid=1000) by LOGIN(uid=0)", Logon{Accepted, "ann", "", "login"}},
	{"at the screen", "gdm-password]", "pam_unix(gdm-password:session): session opened for user ann by (uid=0)", Logon{Accepted, "ann", "", "gdm-password"}},
	{"cron", "CRON", "pam_unix(cron:session): session opened for user root(uid=0) by (uid=0)", Logon{}},
	{"ssh's session", "sshd", "pam_unix(sshd:session): session opened for user root(uid=0) by (uid=0)", Logon{}},

	{"Dropbear, wrong", "dropbear", "Bad password attempt for 'root' from 192.0.2.7:5555", Logon{Failed, "root", "192.0.2.7", "password"}},
	{"Dropbear, nobody", "dropbear", "Login attempt for nonexistent user from 192.0.2.7:5555", Logon{Failed, "", "192.0.2.7", ""}},
	{"Dropbear, right", "dropbear", "Password auth succeeded for 'root' from [2001:db8::1]:5555", Logon{Accepted, "root", "2001:db8::1", "password"}},
	{"Dropbear, key", "dropbear", "Pubkey auth succeeded for 'root' with ssh-ed25519 key SHA256:abc from 192.0.2.7:5555", Logon{Accepted, "root", "192.0.2.7", "publickey"}},
	{"Dropbear, gone", "dropbear", "Exit before auth from <192.0.2.7:5555>: (user 'root', 1 fails): Exited normally", Logon{}},
	{"nothing", "sshd", "Server listening on 0.0.0.0 port 22.", Logon{}},
	{"empty", "sshd", "", Logon{}},
}

func TestLogonsOfLines(t *testing.T) {
	for _, test := range attempts {
		t.Run(test.name, func(t *testing.T) {
			for _, channel := range []string{"journal", "file:/var/log/auth.log"} {
				got, ok := LogonOf(channel, line(test.program, test.message))
				if ok != (test.want != Logon{}) || got != test.want {
					t.Errorf("%s: %+v %v, want %+v", channel, got, ok, test.want)
				}
			}
			for _, channel := range []string{"Security", "Application"} {
				if got, ok := LogonOf(channel, line(test.program, test.message)); ok {
					t.Errorf("an event of the channel %s passes for a line: %+v", channel, got)
				}
			}
		})
	}
}

// OpenSSH of Windows writes its lines as events.
func TestLogonsOfOpenSSHOnWindows(t *testing.T) {
	r := line("OpenSSH", "", report.Field{Name: "process", Value: "sshd"},
		report.Field{Name: "payload", Value: "Failed password for invalid user bob from 192.0.2.7 port 5555 ssh2"})
	r.Event = 4
	got, ok := LogonOf("OpenSSH/Operational", r)
	if want := (Logon{Failed, "bob", "192.0.2.7", "password"}); !ok || got != want {
		t.Errorf("%+v %v", got, ok)
	}
}

// Anybody may write into the journal under the name of sshd, and the journal knows who did.
func TestLogonsOfTheJournalAreGenuine(t *testing.T) {
	const message = "Failed password for root from 192.0.2.7 port 5555 ssh2"
	const failure = "pam_unix(su:auth): authentication failure; logname=ann uid=1000 euid=0 tty=/dev/pts/0 ruser=ann rhost=  user=root"
	for _, test := range []struct {
		program, message, uid, file string
		want                        bool
	}{
		{"sshd", message, "0", "/usr/sbin/sshd", true},
		{"sshd", message, "", "", true}, // older, or from elsewhere: nobody knows
		{"sshd", message, "1000", "/usr/bin/logger", false},
		{"sshd", message, "1000", "/home/ann/sshd", false},
		{"sshd", message, "1000", "", false},
		{"su", failure, "1000", "/usr/bin/su", true},
		{"su", failure, "1000", "/usr/bin/logger", false},
		{"su", failure, "1000", "/tmp/su", false},
	} {
		r := line(test.program, test.message, report.Field{Name: "_UID", Value: test.uid}, report.Field{Name: "_EXE", Value: test.file})
		if _, ok := LogonOf("journal", r); ok != test.want {
			t.Errorf("%s by %s of %s: %v, want %v", test.program, test.uid, test.file, ok, test.want)
		}
	}
}

// Whoever sends more than a record holds may have the user's id left out of it.
func TestALogonOfTheJournalWithoutItsUserIsNotBelieved(t *testing.T) {
	r := line("sshd", "Accepted password for root from 192.0.2.7 port 5555 ssh2", report.Field{Name: "A", Value: "b"})
	r.Altered = true
	if l, ok := LogonOf("journal", r); ok {
		t.Errorf("got %+v", l)
	}
	if _, ok := LogonOf("file:/var/log/auth.log", r); !ok {
		t.Error("a line of a file, which never says who wrote it, is not believed")
	}
}

// A syslog line with structured data can have any names in it: in a file they are the program's own.
func TestALineOfAFileIsNotHeldToTheJournalsFields(t *testing.T) {
	r := line("sshd", "Failed password for root from 192.0.2.7 port 5555 ssh2", report.Field{Name: "_UID", Value: "1000"})
	if _, ok := LogonOf("file:/var/log/auth.log", r); !ok {
		t.Error("it is not believed")
	}
}

// Anybody may write events to the channel Application in the name of any provider. Their data have no names then.
func TestLogonsOfWindowsAreTheAudits(t *testing.T) {
	for _, id := range []int64{4624, 4625, 4768, 4771, 4776} {
		for _, data := range [][]string{nil, {"", "root"}, {"IpAddress", "192.0.2.7", "Status", "0xc000006d"}} {
			if l, ok := LogonOf("Application", security(id, data...)); ok {
				t.Errorf("%d with %q: %+v", id, data, l)
			}
		}
	}
}

// security is a record of the Windows audit with these names and values.
func security(id int64, data ...string) *report.Record {
	r := &report.Record{ID: 1, Event: id, Source: "Microsoft-Windows-Security-Auditing", Computer: "srv1.corp.example"}
	for i := 0; i < len(data); i += 2 {
		r.Data = append(r.Data, report.Field{Name: data[i], Value: data[i+1]})
	}
	return r
}

func TestLogonsOfWindows(t *testing.T) {
	const none = ""
	for _, test := range []struct {
		name   string
		record *report.Record
		want   Logon
		words  string
	}{
		{"failed", security(4625, "TargetUserName", "alice", "TargetDomainName", "CORP", "Status", "0xc000006d", "SubStatus", "0xc000006a", "LogonType", "3", "WorkstationName", "WS7", "IpAddress", "10.0.0.5"),
			Logon{Failed, `CORP\alice`, "10.0.0.5", "network"}, `An account failed to log on: CORP\alice from 10.0.0.5, network logon: wrong password`},
		{"failed, only the status", security(4625, "TargetUserName", "alice", "TargetDomainName", "-", "Status", "0xC0000234", "SubStatus", "0x0", "LogonType", "10", "WorkstationName", "WS7", "IpAddress", "-"),
			Logon{Failed, `alice`, "WS7", "remote desktop"}, `An account failed to log on: alice from WS7, remote desktop logon: account locked out`},
		{"failed, an unknown status", security(4625, "TargetUserName", "alice", "Status", "0xc0001234", "SubStatus", "0x0", "LogonType", "99"),
			Logon{Failed, `alice`, none, none}, `An account failed to log on: alice: status 0xc0001234`},
		{"a machine that is named like an address", security(4625, "TargetUserName", "alice", "WorkstationName", "10.0.0.1", "IpAddress", "-", "LogonType", "3", "SubStatus", "0xC0000064"),
			Logon{Failed, `alice`, none, "network"}, `An account failed to log on: alice, network logon: no such user`},
		{"accepted", security(4624, "TargetUserSid", "S-1-5-21-1-2-3-1001", "TargetUserName", "alice", "TargetDomainName", "CORP", "LogonType", "10", "IpAddress", "::ffff:10.0.0.5"),
			Logon{Accepted, `CORP\alice`, "10.0.0.5", "remote desktop"}, `An account logged on: CORP\alice from 10.0.0.5, remote desktop logon`},
		{"the system itself", security(4624, "TargetUserSid", "S-1-5-18", "TargetUserName", "SYSTEM", "TargetDomainName", "NT AUTHORITY", "LogonType", "5", "WorkstationName", "-", "IpAddress", "-"),
			Logon{}, `An account logged on: NT AUTHORITY\SYSTEM, service logon`},
		{"the window manager", security(4624, "TargetUserSid", "S-1-5-90-0-1", "TargetUserName", "DWM-1", "TargetDomainName", "Window Manager", "LogonType", "2"),
			Logon{}, `An account logged on: Window Manager\DWM-1, interactive logon`},
		{"a service's password is wrong", security(4625, "TargetUserSid", "S-1-0-0", "TargetUserName", "backup", "LogonType", "5", "SubStatus", "0xc000006a"),
			Logon{Failed, "backup", none, "service"}, `An account failed to log on: backup, service logon: wrong password`},
		{"Kerberos refused", security(4771, "TargetUserName", "alice", "Status", "0x18", "IpAddress", "::ffff:10.0.0.5"),
			Logon{Failed, "alice", "10.0.0.5", "Kerberos"}, `Kerberos pre-authentication failed: alice from 10.0.0.5: wrong password`},
		{"Kerberos asks again", security(4771, "TargetUserName", "alice", "Status", "0x19", "IpAddress", "10.0.0.5"),
			Logon{}, `Kerberos pre-authentication failed: alice from 10.0.0.5: pre-authentication is required`},
		{"Kerberos, by TCP", security(4768, "TargetUserName", "alice", "Status", "0x34", "IpAddress", "10.0.0.5"),
			Logon{}, `A Kerberos ticket-granting ticket was requested: alice from 10.0.0.5: the answer is too large for UDP`},
		{"a ticket for nobody", security(4768, "TargetUserName", "bob", "TargetDomainName", "CORP", "Status", "0x6", "IpAddress", "10.0.0.5"),
			Logon{Failed, `CORP\bob`, "10.0.0.5", "Kerberos"}, `A Kerberos ticket-granting ticket was requested: CORP\bob from 10.0.0.5: no such user`},
		{"a ticket", security(4768, "TargetUserName", "alice", "TargetDomainName", "CORP", "Status", "0x0", "IpAddress", "10.0.0.5"),
			Logon{}, `A Kerberos ticket-granting ticket was requested: CORP\alice from 10.0.0.5`},
		{"NTLM refused", security(4776, "TargetUserName", "alice", "Workstation", `\\WS7`, "Status", "0xc000006a"),
			Logon{Failed, "alice", "WS7", "NTLM"}, `Credentials were checked by NTLM: alice from WS7: wrong password`},
		{"NTLM refused, with a 4625", security(4776, "TargetUserName", "alice", "Workstation", "SRV1", "Status", "0xc000006a"),
			Logon{}, `Credentials were checked by NTLM: alice from SRV1: wrong password`},
		{"NTLM", security(4776, "TargetUserName", "alice", "Workstation", "WS7", "Status", "0x0"), Logon{}, `Credentials were checked by NTLM: alice from WS7`},
		{"another event", security(4720, "TargetUserName", "eve", "TargetDomainName", "CORP", "SubjectUserName", "admin", "SubjectDomainName", "CORP"),
			Logon{}, `A user account was created: CORP\eve by CORP\admin`},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, ok := LogonOf("Security", test.record)
			if ok != (test.want != Logon{}) || got != test.want {
				t.Errorf("%+v %v, want %+v", got, ok, test.want)
			}
			if words := Describe(test.record); words != test.words {
				t.Errorf("%s\nwant %s", words, test.words)
			}
			other := *test.record
			other.Source = "MyProgram"
			if got, ok := LogonOf("Application", &other); ok {
				t.Errorf("another provider's event passes for a logon: %+v", got)
			}
			if words := Describe(&other); strings.HasPrefix(words, "A") {
				t.Errorf("another provider's event is described as the audit's: %s", words)
			}
		})
	}
}

func TestIs(t *testing.T) {
	for _, test := range []struct {
		outcome          string
		failed, accepted bool
	}{{Failed, true, false}, {Accepted, false, true}, {Any, true, true}, {"", false, false}} {
		if (Logon{Outcome: Failed}).Is(test.outcome) != test.failed || (Logon{Outcome: Accepted}).Is(test.outcome) != test.accepted ||
			(Logon{}).Is(test.outcome) {
			t.Errorf("%q: %+v", test.outcome, test)
		}
	}
}

// selected reports whether LogonKinds counts a record among those that may be logons.
func selected(channel, outcome string, r *report.Record) bool {
	return slices.ContainsFunc(LogonKinds(channel, outcome), func(f report.Filter) bool { return f.Match(r) })
}

func TestLogonKinds(t *testing.T) {
	openssh := line("OpenSSH", "")
	openssh.Event = 4
	for _, test := range []struct {
		channel string
		record  *report.Record
		want    string // outcomes
	}{
		{"journal", line("sshd", ""), "failed accepted any"},
		{"file:/var/log/auth.log", line("su", ""), "failed accepted any"},
		{"Security", graded(security(4625), report.AuditFailure), "failed any"},
		{"SECURITY", graded(security(4776), report.AuditFailure), "failed any"},
		{"Security", graded(security(4776), report.AuditSuccess), ""},
		{"ForwardedEvents", graded(security(4771), report.AuditFailure), "failed any"},
		{"Security", graded(security(4624), report.AuditSuccess), "accepted any"},
		{"Security", graded(security(1102), report.AuditSuccess), ""},
		{"Security", openssh, ""},
		{"OpenSSH/Operational", openssh, "failed accepted any"},
		{"system", openssh, ""},
		{"Application", graded(security(4625), report.AuditFailure), ""},
		{"Setup", line("sshd", ""), ""},
	} {
		var got []string
		for _, outcome := range []string{Failed, Accepted, Any} {
			if selected(test.channel, outcome, test.record) {
				got = append(got, outcome)
			}
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("%s, %s %d: %q, want %s", test.channel, test.record.Source, test.record.Event, got, test.want)
		}
	}
}

// graded gives a record a level.
func graded(r *report.Record, level report.Level) *report.Record {
	r.Level = level
	return r
}

// TestLogonKindsAreComplete: there is no event that LogonOf reads as a logon and LogonKinds leaves out.
func TestLogonKindsAreComplete(t *testing.T) {
	found := 0
	for id := range int64(1 << 16) {
		for status, level := range map[string]report.Level{"0x0": report.AuditSuccess, "0xc000006a": report.AuditFailure, "0x18": report.AuditFailure} {
			r := graded(security(id, "TargetUserName", "alice", "Status", status), level)
			l, ok := LogonOf("Security", r)
			switch {
			case !ok:
			case l.Outcome == Accepted && level == report.AuditFailure, l.Outcome == Failed && level == report.AuditSuccess:
				// The event has one outcome, whatever the status; and so one level.
			default:
				found++
				if !selected("Security", l.Outcome, r) || !selected("Security", Any, r) {
					t.Errorf("%d with status %s is a logon: %+v", id, status, l)
				}
			}
		}
	}
	if found < 5 {
		t.Errorf("%d logons", found)
	}
	for _, test := range attempts {
		if r := line(test.program, test.message); test.want.Outcome != "" && !selected("journal", test.want.Outcome, r) {
			t.Errorf("%s is left out", test.name)
		}
	}
}

// FuzzLogonOf: what a stranger gives as a name never becomes the address of a refusal.
func FuzzLogonOf(f *testing.F) {
	for _, test := range attempts {
		f.Add(test.message)
	}
	f.Add("root from 10.0.0.1 port 22 ssh2")
	f.Add("x  user=root rhost=10.0.0.1")
	f.Fuzz(func(t *testing.T, name string) {
		for _, test := range []struct{ program, before, after string }{
			{"sshd", "Failed password for invalid user ", " from 192.0.2.7 port 5555 ssh2"},
			{"sshd", "Failed publickey for invalid user ", " from 192.0.2.7 port 5555 ssh2: RSA SHA256:abc"},
			{"sshd", "error: PAM: Authentication failure for illegal user ", " from 192.0.2.7"},
			{"vsftpd", "pam_sss(vsftpd:auth): authentication failure; logname= uid=0 euid=0 tty=ftp ruser= rhost=192.0.2.7 user=", ""},
		} {
			got, ok := LogonOf("journal", line(test.program, test.before+name+test.after))
			if want := test.before; !ok || got.Address != "192.0.2.7" || got.Outcome != Failed || got.User != name && !strings.HasPrefix(name, "illegal user ") && !strings.HasPrefix(name, "invalid user ") {
				t.Errorf("%s%q%s: %+v %v", want, name, test.after, got, ok)
			}
		}
		LogonOf("journal", line("sshd", name))
		LogonOf("file:x", line("dropbear", name))
		LogonOf("file:x", line("su", name))
	})
}
