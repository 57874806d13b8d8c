package visit

import (
	"strings"

	"muster/internal/report"
)

// LogAdvice returns what a person can do about the trouble of a channel: one sentence in the imperative. It may be logged,
// shown and stored.
func LogAdvice(channel string, kind report.TroubleKind) string {
	path, isFile := strings.CutPrefix(channel, report.FileChannel)
	switch kind {
	case report.TroubleDenied:
		switch {
		case isFile:
			return "let the user who logs in read " + path + " and search its folder: by its group, which is often adm, or an access control list"
		case channel == report.Journal:
			return "add the user who logs in to the group systemd-journal, or adm where it may read the journal"
		}
		return "add the user who logs in to the local group \"Event Log Readers\""
	case report.TroubleAbsent:
		switch {
		case isFile:
			return "correct the path, or take this log out of the configuration for hosts that have no such file"
		case channel == report.Journal:
			return "take the journal out of the configuration for hosts that run no systemd; on others see Storage= in journald.conf"
		}
		return "correct the channel's name (wevtutil el lists them on Windows), or take it out for hosts that have none"
	case report.TroubleQuery:
		return "correct the filter: test an XPath on the host, with wevtutil qe CHANNEL /q:XPATH"
	case report.TroubleUnsupported:
		return "take the channel out of the configuration for this host; where the client is installed, install one of this version"
	case report.TroubleSlow:
		return "look at the load of the host and its disks; it is tried again by each visit"
	}
	return "see the reason; it is tried again by each visit"
}
