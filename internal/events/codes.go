package events

import (
	"strconv"
	"strings"
	"sync"
)

// Code is a number that Windows writes, and what it stands for.
type Code struct {
	Number uint64
	Words  string
}

// LogonTypes returns the types of logons: those of SECURITY_LOGON_TYPE, and of the page of event 4624.
func LogonTypes() []Code {
	return []Code{
		{0, "system"},
		{2, "interactive"},
		{3, "network"},
		{4, "batch"},
		{5, "service"},
		{7, "unlock"},
		{8, "network with clear-text password"},
		{9, "new credentials"},
		{10, "remote desktop"},
		{11, "interactive with cached credentials"},
		{12, "remote desktop with cached credentials"},
		{13, "unlock with cached credentials"},
	}
}

// Statuses returns the statuses of failed logons (NTSTATUS): those of the page of event 4625, and some more that are met.
func Statuses() []Code {
	return []Code{
		{0xC0000022, "access denied"},
		{0xC000005E, "no logon server was there"},
		{0xC0000064, "no such user"},
		{0xC000006A, "wrong password"},
		{0xC000006C, "the password does not meet the policy"},
		{0xC000006D, "wrong user name or password"},
		{0xC000006E, "account restriction"},
		{0xC000006F, "outside the hours allowed"},
		{0xC0000070, "not from this workstation"},
		{0xC0000071, "password expired"},
		{0xC0000072, "account disabled"},
		{0xC000009A, "insufficient resources"},
		{0xC00000DC, "the accounts' database was in the wrong state"},
		{0xC0000133, "clocks differ too much"},
		{0xC000015B, "this type of logon is not granted"},
		{0xC000018C, "the trust between the domains failed"},
		{0xC000018D, "the trust with this computer failed"},
		{0xC0000192, "the logon service was not running"},
		{0xC0000193, "account expired"},
		{0xC0000198, "the account is one of a trust"},
		{0xC0000199, "the account is one of a trust"},
		{0xC0000224, "password must be changed first"},
		{0xC0000225, "not found: mostly a fault of Windows, no attack"},
		{0xC0000234, "account locked out"},
		{0xC00002EE, "an error occurred during logon"},
		{0xC0000413, "the authentication firewall does not allow this account here"},
	}
}

// Codes of Kerberos that refuse nobody: the client asks again, in the way that it was told.
const (
	preauthenticationRequired = 0x19
	responseTooBig            = 0x34
)

// KerberosCodes returns the failure codes of Kerberos (RFC 4120, section 7.5.9) that a domain controller gives.
func KerberosCodes() []Code {
	return []Code{
		{0x1, "the client's entry has expired"},
		{0x2, "the server's entry has expired"},
		{0x6, "no such user"},
		{0x7, "no such service"},
		{0x8, "several entries of this name"},
		{0x9, "no key: the account has no password"},
		{0xB, "the time asked for is too short"},
		{0xC, "not at this time or from this workstation"},
		{0xD, "the ticket can't be as asked for"},
		{0xE, "no such encryption"},
		{0xF, "no such checksum"},
		{0x10, "no such way to prove oneself: the smart card's certificate, mostly"},
		{0x12, "account disabled, expired or locked out"},
		{0x17, "password expired"},
		{0x18, "wrong password"},
		{preauthenticationRequired, "pre-authentication is required"},
		{0x1B, "the service must be asked by way of the user"},
		{0x1D, "the service is not available"},
		{0x1F, "the ticket's integrity is broken"},
		{0x20, "the ticket has expired"},
		{0x21, "the ticket is not valid yet"},
		{0x22, "the request is a repetition"},
		{0x25, "clocks differ too much"},
		{responseTooBig, "the answer is too large for UDP"},
		{0x3C, "another error"},
		{0x44, "no such realm"},
	}
}

// The same by number. The first use of each makes it; from then on it is only read.
var (
	logonTypes    = indexOf(LogonTypes)
	statuses      = indexOf(Statuses)
	kerberosCodes = indexOf(KerberosCodes)
)

func indexOf(codes func() []Code) func() map[uint64]string {
	return sync.OnceValue(func() map[uint64]string {
		index := make(map[uint64]string)
		for _, c := range codes() {
			index[c.Number] = c.Words
		}
		return index
	})
}

// LogonType returns what the number of a logon type stands for, as "network"; "" where it stands for nothing known.
func LogonType(number string) string {
	n, err := strconv.ParseUint(number, 10, 64)
	if err != nil {
		return ""
	}
	return logonTypes()[n]
}

// Status returns what a status or sub-status of a failed logon, as "0xc000006a", says in words; "" where it is not known, or
// success. Of the two that a 4625 has, the sub-status mostly says more.
func Status(code string) string { return named(code, statuses) }

// Kerberos returns what a failure code of Kerberos, as "0x18", says in words; "" where it is not known, or success.
func Kerberos(code string) string { return named(code, kerberosCodes) }

func named(code string, index func() map[uint64]string) string {
	n, ok := hexadecimal(code)
	if !ok {
		return ""
	}
	return index()[n]
}

func hexadecimal(code string) (uint64, bool) {
	digits, ok := strings.CutPrefix(strings.ToLower(code), "0x")
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 16, 64)
	return n, err == nil
}

// reason returns why, in words where the code is known, and the code otherwise; "" for none and success.
func reason(code string, words func(string) string) string {
	if n, ok := hexadecimal(code); !ok || n == 0 {
		return ""
	}
	if known := words(code); known != "" {
		return known
	}
	return "status " + code
}
