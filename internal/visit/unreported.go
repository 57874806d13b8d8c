package visit

import (
	"errors"
	"fmt"
	"strings"

	"muster/internal/deploy"
	"muster/internal/failure"
	"muster/internal/remote"
	"muster/internal/report"
)

// Words by which a client that ran is told from a shell, or sudo, that did not run it.
const (
	itsLog     = `msg="no report"`
	itsPanic   = "goroutine "
	badRequest = "bad request"
)

const (
	recipe       = "docs/least-rights.md"
	adviseForced = "see that the key's command=\"…\" in authorized_keys (or ForceCommand in sshd_config) is the client, and that " +
		"the user's shell runs commands"
	adviseExecutable = "make the installed client executable for the user who runs it (chmod 755), on a file system that is not noexec"
	advisePlatform   = "install the client for the host's own platform: muster client lists them"
	adviseNoPassword = "let sudo run the client without a password: put the line of " + recipe + " into /etc/sudoers.d on the host"
	adviseNoSudo     = "install sudo on the host, or leave out sudo=\"yes\""
	adviseTTY        = "take requiretty out of the host's sudoers, for this user at least: Defaults:USER !requiretty"
	adviseSetuid     = "sudo can't become root where it runs: look for nosuid, a container without privileges, or systemd's NoNewPrivileges"
	adviseSudoers    = "look for mistakes in the host's sudoers with visudo -c"
)

// unreported is the error of a client that ended by itself, with an exit status and without a report.
func (s *session) unreported(status int, none *report.NoReportError) *noReport {
	e := &noReport{kind: failure.ClientFailed, ended: true, cause: none}
	said := strings.ToLower(s.words.String())
	what := "the client ended with exit status %d and without a report"
	ran := strings.Contains(said, itsLog) || strings.Contains(said, itsPanic)
	crash := remote.Crash(status)
	reason := s.words.find("panic: ", "fatal error: ")
	switch {
	case crash != "":
		e.kind, e.text = failure.ClientCrashed, crash+", without a report"+s.words.last()
		return e
	case status == statusPanic && reason != "":
		e.kind, e.text = failure.ClientCrashed, "the client broke down without a report: "+reason
		return e
	case ran:
		if s.installed && status == 2 && strings.Contains(said, badRequest) {
			e.kind, what = failure.ClientOld, "the installed client does not understand the request (exit status %d)"
		}
	case s.sudo && s.lacksSudo(status, said):
		e.kind, e.ended, e.advice, what = failure.SudoRefused, false, adviseNoSudo, "there is no sudo (exit status %d)"
	case s.sudo || s.installed:
		what = s.refused(e, status, said, what)
	default:
		e.unrun = deploy.Refusal(status, said) == failure.ClientMissing
	}
	e.text = fmt.Sprintf(what, status) + s.words.last()
	if status == 0 && len(none.Noise) > 0 {
		e.kind, e.text = failure.NoReport, "the output holds no report"+s.words.last()
	}
	return e
}

// lacksSudo tells whether a shell did not find sudo. Of a command that sudo itself does not find, it has the path.
func (s *session) lacksSudo(status int, said string) bool {
	return status == 127 && strings.Contains(said, "sudo") || strings.Contains(said, "sudo: command not found") ||
		strings.Contains(said, "'sudo' is not recognized")
}

// refused completes the error of a client that seems not to have run, and says in which words.
func (s *session) refused(e *noReport, status int, said, otherwise string) string {
	kind := deploy.Refusal(status, said)
	switch {
	case kind == failure.ClientMissing && s.installed:
		e.kind = kind
		return "the client is not where it should be installed (exit status %d)"
	case kind == failure.NoExec && s.installed:
		e.kind, e.advice = kind, adviseExecutable
		return "the installed client may not be executed (exit status %d)"
	case kind == failure.WrongPlatform && s.installed:
		e.kind, e.advice = kind, advisePlatform
		return "the installed client is not for this platform (exit status %d)"
	case kind != "":
		return otherwise // an uploaded client will be deployed again, which finds out more
	case s.sudo && (status == 1 || strings.Contains(said, "sudo")):
		e.kind, e.ended, e.advice = failure.SudoRefused, false, adviseSudo(said)
		return "sudo did not run the client (exit status %d)"
	case s.installed && said != "":
		e.kind, e.advice = failure.NoReport, adviseForced
		return "what ran was not the client: it ended with exit status %d and without a report"
	}
	return otherwise
}

// adviseSudo finds the advice for what sudo says. Where that is not in English it is that for the most frequent reason.
func adviseSudo(said string) string {
	has := func(sign string) bool { return strings.Contains(said, sign) }
	switch {
	case has("must have a tty"):
		return adviseTTY
	case has("effective uid"), has("setuid"), has("no new privileges"):
		return adviseSetuid
	case has("parse error"), has("syntax error"), has("sudoers sources"), has("sudoers is "), has("world writable"):
		return adviseSudoers
	}
	return adviseNoPassword
}

// withoutSFTP adds advice to the failure of a host without SFTP, which is needed only to fetch a file.
func withoutSFTP(err error) error {
	var failed *failure.Error
	if !errors.As(err, &failed) || failed.Kind != failure.NoSFTP {
		return err
	}
	advised := *failed
	advised.Advice = "say transfer=\"stdout\", which needs no SFTP; or enable the SFTP subsystem in the host's sshd_config, where " +
		"Dropbear needs OpenSSH's sftp-server"
	return &advised
}

// puzzled adds advice to the failure of an installed client that did not report in time and said something else: it may be
// another program, which waits for other input.
func (a *attempt) puzzled(err error) error {
	var failed *failure.Error
	if a.host.Client == "" || !errors.As(err, &failed) || failed.Kind != failure.Timeout || a.words.String() == "" {
		return err
	}
	advised := *failed
	advised.Advice = adviseForced
	return &advised
}

// check says what does not go together in a host, which the configuration refuses as well.
func (h *Host) check() error {
	if h.Transfer != File || h.Client == "" && !h.Sudo {
		return nil
	}
	why := errors.New("transfer=\"file\" is for clients that are uploaded: an installed one writes no file")
	if h.Sudo {
		why = errors.New("transfer=\"file\" does not go with sudo=\"yes\": the file would be root's")
	}
	return failure.New(failure.Run, failure.Configuration, why)
}
