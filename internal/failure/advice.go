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
	case Noise:
		return "shorten Banner in the host's sshd_config, or let the user's login script print on a terminal only"
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
		return "make room on the host"
	case Quota:
		return "raise the user's quota on the host, or name a folder on another file system with directory=\"…\""
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
	case ClientCrashed:
		return "see in the host's system log who killed it, for want of memory or by hand; a panic in its log is a defect to report"
	case NoReport:
		return "a login script may end the session: run a command over ssh by hand and see what it prints"
	case ReportCut:
		return "look at the network and the client's log; the next sweep visits the host again"
	case ReportAltered:
		return "something between host and server changes data: find out what before you trust the host"
	case ReportReplayed:
		return "find out what answers in the client's place: a forced command that repeats itself, or somebody who plays back"
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

// Slow returns what a person can do about a stage that did not end within its deadline.
func (s Stage) Slow() string {
	switch s {
	case Dial:
		return "check that the machine is up, and that no firewall drops the packets to its SSH port"
	case Handshake:
		return "the port answers and SSH does not go on: check the port, and whether sshd on the host is overloaded"
	case Authentication:
		return "look into the host's sshd log: slow name lookups there (UseDNS) or PAM modules delay logins"
	case Platform:
		return "run uname -sm there over ssh by hand: a login script may wait for something"
	case Deploy:
		return "check the host's disk and the network: the client is uploaded once; <timeouts deploy=\"…\"> gives it longer"
	case Run:
		return "look for what hangs on the host, such as a file system that does not answer; <timeouts run=\"…\"> gives it longer"
	case Receive:
		return "look at the network and the client's log: the report stopped half way; <timeouts receive=\"…\"> gives it longer"
	}
	return Timeout.Advice()
}
