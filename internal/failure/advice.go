package failure

// Advice returns what a person can do about a failure of this kind: one sentence in the imperative.
func (k Kind) Advice() string {
	switch k {
	case NoSuchHost:
		return "check the address in the configuration and the name server"
	case Unreachable:
		return "check that the machine is up, its address and the network between"
	case Refused:
		return "check that sshd runs on the host and listens on this port"
	case Timeout:
		return "check the host's load and the network; a longer deadline is set with <timeouts>"
	case Disconnected:
		return "look into the host's sshd log; MaxStartups, a firewall or a crash may have ended the connection"
	case NotSSH:
		return "check that the port is sshd's; very old or hardened servers may share no algorithm with us"
	case HostKeyUnknown:
		return "compare the fingerprint with the host's own and record the key: muster trust"
	case HostKeyChanged:
		return "find out why the host's key changed before you trust it: a reinstalled machine, or somebody in between"
	case HostKeyRevoked:
		return "the key is marked @revoked in known_hosts: do not trust this host until it has a new key"
	case LoginFailed:
		return "check the user, the key and the password, and the host's sshd log"
	case PasswordRefused:
		return "correct the password in the configuration, or run muster login retry where it is right again"
	case NoSFTP:
		return "enable the SFTP subsystem in the host's sshd_config"
	case NoShell:
		return "give the user a shell that runs commands"
	case OneSession:
		return "install the client on the host and say client=\"installed:…\", which takes one session, or run another SSH server there"
	case UnknownPlatform:
		return "see docs/configuration.md for the platforms that have a client"
	case WrongPlatform:
		return "the host is not what it says it is: look at what uname -sm prints there"
	case PermissionDenied:
		return "check the permissions of the user's folders on the host, or name another with directory=\"…\""
	case NoExec:
		return "name a folder on a file system that allows execution with directory=\"…\""
	case DiskFull:
		return "make room on the host, or raise the user's quota"
	case FileFailed:
		return "look at the path on the host: its disk, its quota, and what else works on it"
	case Vanished:
		return "a virus scanner may have put the client into quarantine: allow it by its SHA-256"
	case ClientMissing:
		return "install the client where client=\"installed:…\" says, as docs/least-rights.md shows"
	case ClientOld:
		return "install the client that this server carries: muster client lists it and writes it out"
	case SudoRefused:
		return "let sudo run the client without a password: docs/least-rights.md has the line for sudoers"
	case ClientFailed:
		return "look at the client's log of this visit"
	case NoReport:
		return "a login script may end the session: run a command over ssh by hand and see what it prints"
	case ReportCut:
		return "look at the network and the client's log; the next sweep visits the host again"
	case ReportAltered:
		return "something between host and server changes data: find out what before you trust the host"
	case ReportTooLarge:
		return "see what the host reports so much of; the bounds are in docs/security.md"
	case ReportInvalid:
		return "the client on the host may be damaged: remove it, the next sweep uploads it again"
	case JumpFailed:
		return "see first to the jump host: no host behind it can be visited without it"
	case JumpRefused:
		return "set AllowTcpForwarding yes and a PermitOpen that has the host in the jump host's sshd_config"
	case Configuration:
		return "correct the configuration"
	case Cancelled:
		return "nothing is wrong: the server was stopped; the next sweep visits the host again"
	case Busy:
		return "the host is slower than the interval: lengthen the interval or shorten its <timeouts>"
	case Backoff:
		return "see why it failed in the visits before; once that is mended, muster reload has it visited in the next sweep"
	}
	return "report this as a defect, with the log"
}
