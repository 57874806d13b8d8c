package sshconfig

import (
	"fmt"
	"strings"
)

// other looks at a keyword that is not honoured. The first line with one holds, as with those that are.
func (r *resolving) other(l *line, value string) {
	switch {
	case r.seen[l.keyword] || r.isIgnored(l.keyword):
		return
	case l.keyword == "ignoreunknown":
		r.ignored = append(r.ignored, newPatterns(strings.Split(strings.ToLower(value), ",")))
		return
	}
	r.seen[l.keyword] = true
	value = strings.ToLower(value)
	switch l.keyword {
	case "canonicalizehostname":
		if value == "yes" || value == "always" {
			r.problem(l.place, l.keyword, true, `CanonicalizeHostname is not done: write the host's full name as address="…" in muster.xml`)
		}
	case "revokedhostkeys":
		if value != "none" {
			r.problem(l.place, l.keyword, true, `RevokedHostKeys is not read: mark the keys as @revoked in known_hosts`)
		}
	case "pubkeyauthentication", "passwordauthentication", "kbdinteractiveauthentication",
		"challengeresponseauthentication", "preferredauthentications":
		r.problem(l.place, l.keyword, false, fmt.Sprintf(`%s is not looked at: say authentication="…" in muster.xml`, l.keyword))
	case "addressfamily", "bindaddress", "bindinterface", "ciphers", "kexalgorithms", "macs", "hostkeyalgorithms",
		"hostbasedacceptedalgorithms", "pubkeyacceptedalgorithms", "pubkeyacceptedkeytypes", "casignaturealgorithms",
		"requiredrsasize", "pkcs11provider", "smartcarddevice", "securitykeyprovider", "globalknownhostsfile",
		"knownhostscommand", "verifyhostkeydns", "identitiesonly", "hostbasedauthentication", "gssapiauthentication":
		if !isDefault(l.keyword, value) {
			r.problem(l.place, l.keyword, false, fmt.Sprintf("%s is not looked at", l.keyword))
		}
	default:
		if !isIrrelevant(l.keyword) {
			r.problem(l.place, l.keyword, false, fmt.Sprintf("%.64q is no keyword that we know", l.keyword))
		}
	}
}

func (r *resolving) isIgnored(keyword string) bool {
	for _, list := range r.ignored {
		if matchesAny(list, keyword) {
			return true
		}
	}
	return false
}

// isDefault tells whether a keyword says what we do anyhow.
func isDefault(keyword, value string) bool {
	switch keyword {
	case "addressfamily":
		return value == "any"
	case "globalknownhostsfile":
		return value == "/etc/ssh/ssh_known_hosts"
	case "knownhostscommand", "pkcs11provider":
		return value == "none"
	case "verifyhostkeydns", "hostbasedauthentication", "gssapiauthentication":
		return value != "only"
	case "identitiesonly":
		return true // no other key is offered, but those of an agent that somebody has named
	}
	return false
}

// isIrrelevant tells which keywords of OpenSSH have nothing to do with reaching a host.
func isIrrelevant(keyword string) bool {
	switch keyword {
	case "addkeystoagent", "batchmode", "canonicaldomains", "canonicalizefallbacklocal", "canonicalizemaxdots",
		"canonicalizepermittedcnames", "channeltimeout", "checkhostip", "cipher", "clearallforwardings", "compression",
		"compressionlevel", "connectionattempts", "connecttimeout", "controlmaster", "controlpath", "controlpersist",
		"dynamicforward", "enableescapecommandline", "enablesshkeysign", "escapechar", "exitonforwardfailure",
		"fingerprinthash", "forkafterauthentication", "forwardagent", "forwardx11", "forwardx11timeout",
		"forwardx11trusted", "gatewayports", "gssapidelegatecredentials", "gssapikeyexchange", "gssapiclientidentity",
		"gssapirenewalforcesrekey", "gssapiserveridentity", "gssapitrustdns", "gssapikexalgorithms",
		"hashknownhosts", "ipqos", "kbdinteractivedevices", "keepalive", "localcommand", "localforward", "loglevel",
		"logverbose", "nohostauthenticationforlocalhost", "numberofpasswordprompts", "obscurekeystroketiming",
		"permitlocalcommand", "permitremoteopen", "protocol", "proxyusefdpass", "rekeylimit", "remotecommand",
		"remoteforward", "requesttty", "rhostsrsaauthentication", "rsaauthentication", "sendenv", "serveralivecountmax",
		"serveraliveinterval", "sessiontype", "setenv", "stdinnull", "streamlocalbindmask", "streamlocalbindunlink",
		"syslogfacility", "tag", "tcpkeepalive", "tunnel", "tunneldevice", "updatehostkeys", "useprivilegedport",
		"usekeychain", "useroaming", "visualhostkey", "xauthlocation", "warnweakcrypto", "versionaddendum":
		return true
	}
	return false
}
