package events

import (
	"strconv"
	"strings"
)

// LogonType returns what the number of a logon type stands for, as "network"; "" where it stands for nothing known.
// They are those of SECURITY_LOGON_TYPE and of the page of event 4624.
func LogonType(number string) string {
	switch number {
	case "0":
		return "system"
	case "2":
		return "interactive"
	case "3":
		return "network"
	case "4":
		return "batch"
	case "5":
		return "service"
	case "7":
		return "unlock"
	case "8":
		return "network with clear-text password"
	case "9":
		return "new credentials"
	case "10":
		return "remote desktop"
	case "11":
		return "interactive with cached credentials"
	case "12":
		return "remote desktop with cached credentials"
	case "13":
		return "unlock with cached credentials"
	}
	return ""
}

// Status returns what a status or sub-status of a failed logon (an NTSTATUS, as "0xc000006a") says, in words; "" where it is
// not known, or success. Of the two that a 4625 has, the sub-status mostly says more.
func Status(code string) string {
	n, ok := hexadecimal(code)
	if !ok {
		return ""
	}
	switch n {
	case 0xC0000022:
		return "access denied"
	case 0xC000005E:
		return "no logon server was there"
	case 0xC0000064:
		return "no such user"
	case 0xC000006A:
		return "wrong password"
	case 0xC000006C:
		return "the password does not meet the policy"
	case 0xC000006D:
		return "wrong user name or password"
	case 0xC000006E:
		return "account restriction"
	case 0xC000006F:
		return "outside the hours allowed"
	case 0xC0000070:
		return "not from this workstation"
	case 0xC0000071:
		return "password expired"
	case 0xC0000072:
		return "account disabled"
	case 0xC000009A:
		return "insufficient resources"
	case 0xC00000DC:
		return "the accounts' database was in the wrong state"
	case 0xC0000133:
		return "clocks differ too much"
	case 0xC000015B:
		return "this type of logon is not granted"
	case 0xC000018C:
		return "the trust between the domains failed"
	case 0xC000018D:
		return "the trust with this computer failed"
	case 0xC0000192:
		return "the logon service was not running"
	case 0xC0000193:
		return "account expired"
	case 0xC0000199, 0xC0000198:
		return "the account is one of a trust"
	case 0xC0000224:
		return "password must be changed first"
	case 0xC0000225:
		return "not found: mostly a fault of Windows, no attack"
	case 0xC0000234:
		return "account locked out"
	case 0xC00002EE:
		return "an error occurred during logon"
	case 0xC0000413:
		return "the authentication firewall does not allow this account here"
	}
	return ""
}

// Kerberos returns what a failure code of Kerberos (RFC 4120, section 7.5.9, as "0x18") says, in words; "" where it is not
// known, or success.
func Kerberos(code string) string {
	n, ok := hexadecimal(code)
	if !ok {
		return ""
	}
	switch n {
	case 0x1:
		return "the client's entry has expired"
	case 0x2:
		return "the server's entry has expired"
	case 0x6:
		return "no such user"
	case 0x7:
		return "no such service"
	case 0x8:
		return "several entries of this name"
	case 0x9:
		return "no key: the account has no password"
	case 0xB:
		return "the time asked for is too short"
	case 0xC:
		return "not at this time or from this workstation"
	case 0xD:
		return "the ticket can't be as asked for"
	case 0xE:
		return "no such encryption"
	case 0xF:
		return "no such checksum"
	case 0x10:
		return "no such way to prove oneself: the smart card's certificate, mostly"
	case 0x12:
		return "account disabled, expired or locked out"
	case 0x17:
		return "password expired"
	case 0x18:
		return "wrong password"
	case preauthenticationRequired:
		return "pre-authentication is required"
	case 0x1B:
		return "the service must be asked by way of the user"
	case 0x1D:
		return "the service is not available"
	case 0x1F:
		return "the ticket's integrity is broken"
	case 0x20:
		return "the ticket has expired"
	case 0x21:
		return "the ticket is not valid yet"
	case 0x22:
		return "the request is a repetition"
	case 0x25:
		return "clocks differ too much"
	case responseTooBig:
		return "the answer is too large for UDP"
	case 0x3C:
		return "another error"
	case 0x44:
		return "no such realm"
	}
	return ""
}

// Codes of Kerberos that refuse nobody: the client asks again, in the way that it was told.
const (
	preauthenticationRequired = 0x19
	responseTooBig            = 0x34
)

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
