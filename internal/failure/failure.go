// Package failure names what can go wrong on the way to a host and back: the stage of a visit at which it went wrong,
// the kind of the failure, and what a person can do about it.
//
// It is the one vocabulary that remote, deploy, visit, the store, the mails and the terminal share, so that a failure
// reads the same wherever it is met. It owns the wording of the advice and imports nothing of ours. Its values are
// immutable and safe for concurrent use.
package failure

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
)

// Stage is a part of a visit that has a deadline of its own.
type Stage string

// The stages of a visit, in their order.
const (
	Dial           Stage = "dial"           // resolve the name and open the TCP connection
	Handshake      Stage = "handshake"      // SSH key exchange and the check of the host key
	Authentication Stage = "authentication" // log in
	Platform       Stage = "platform"       // find the operating system and the architecture
	Deploy         Stage = "deploy"         // put the client there, or see that it is there
	Run            Stage = "run"            // start the client; until its report begins
	Receive        Stage = "receive"        // until the report is here in full
	Open           Stage = "open"           // decrypt and verify the report
	Decode         Stage = "decode"         // parse and check the report
)

// Stages returns all stages in the order of a visit.
func Stages() []Stage {
	return []Stage{Dial, Handshake, Authentication, Platform, Deploy, Run, Receive, Open, Decode}
}

// Kind says what went wrong. Kinds are stored and shown: they are short, lower case and never renamed.
type Kind string

// The kinds of failure. What stands beside each is what docs/failures.md says of it: a test keeps the two equal.
const (
	NoSuchHost       Kind = "no-such-host"      // the name does not resolve
	Unreachable      Kind = "unreachable"       // no route, or nobody answers at that address
	Refused          Kind = "refused"           // the port is closed
	Timeout          Kind = "timeout"           // a stage did not end within its deadline
	Disconnected     Kind = "disconnected"      // the connection was lost in the middle
	NotSSH           Kind = "not-ssh"           // what answered does not speak SSH, or no common algorithm
	Noise            Kind = "noise"             // a banner or a login script prints more than there is room for, or into SFTP
	HostKeyUnknown   Kind = "host-key-unknown"  // known_hosts has no key for the host
	HostKeyChanged   Kind = "host-key-changed"  // known_hosts has another key for the host
	HostKeyRevoked   Kind = "host-key-revoked"  // known_hosts says @revoked
	LoginFailed      Kind = "login-failed"      // no key and no password was accepted
	PasswordRefused  Kind = "password-refused"  // the password was refused, and is not sent again
	NoSFTP           Kind = "no-sftp"           // the host offers no SFTP subsystem
	NoShell          Kind = "no-shell"          // the host runs no commands
	OneSession       Kind = "one-session"       // the host's SSH server runs one command a connection
	UnknownPlatform  Kind = "unknown-platform"  // there is no client for what the host is
	WrongPlatform    Kind = "wrong-platform"    // the client does not run on what the host is
	PermissionDenied Kind = "permission-denied" // a file or folder may not be written or run
	NoExec           Kind = "noexec"            // no folder from which the client may be executed
	DiskFull         Kind = "disk-full"         // no space is left
	Quota            Kind = "quota"             // the user's quota is used up, though the disk has space
	FileFailed       Kind = "file-failed"       // a file is missing, in the way, or the host could not read or write it
	Vanished         Kind = "vanished"          // the client disappeared after the upload
	ClientMissing    Kind = "client-missing"    // there is no client where the configuration says that one is installed
	ClientOld        Kind = "client-old"        // the installed client does not understand what it is asked
	SudoRefused      Kind = "sudo-refused"      // sudo is not there, or does not run the client without asking
	ClientFailed     Kind = "client-failed"     // the client ended without a report
	ClientCrashed    Kind = "client-crashed"    // the client was killed by a signal, or broke down
	NoReport         Kind = "no-report"         // output, but no report in it
	ReportCut        Kind = "report-cut"        // the report ended early
	ReportAltered    Kind = "report-altered"    // the report's checksum or seal does not match
	ReportReplayed   Kind = "report-replayed"   // the report is that of another visit, or of another host
	ReportTooLarge   Kind = "report-too-large"  // the report exceeds a bound
	ReportInvalid    Kind = "report-invalid"    // the report breaks its schema
	JumpFailed       Kind = "jump-failed"       // the jump host on the way can't be used, or was lost
	JumpRefused      Kind = "jump-refused"      // the jump host does not let us through to the host
	Configuration    Kind = "configuration"     // a key, password or known_hosts file can't be used
	Cancelled        Kind = "cancelled"         // the server is stopping
	Busy             Kind = "busy"              // the visit before this one still runs
	Backoff          Kind = "backoff"           // the host has failed before, and is left alone for a while
	Internal         Kind = "internal"          // a defect of ours
)

// Kinds returns all kinds, from the way to a host to the way back.
func Kinds() []Kind {
	return []Kind{
		NoSuchHost, Unreachable, Refused, Timeout, Disconnected, NotSSH, Noise, HostKeyUnknown, HostKeyChanged, HostKeyRevoked,
		LoginFailed, PasswordRefused, JumpFailed, JumpRefused, NoSFTP, NoShell, OneSession, UnknownPlatform, WrongPlatform,
		PermissionDenied, NoExec, DiskFull, Quota, FileFailed, Vanished, ClientMissing, ClientOld, SudoRefused, ClientFailed,
		ClientCrashed, NoReport, ReportCut, ReportAltered, ReportReplayed, ReportTooLarge, ReportInvalid, Configuration,
		Cancelled, Busy, Backoff, Internal,
	}
}

// IsInterruption tells whether a failure of this kind ended the conversation with the host, whatever the host would have
// said: its time was up, the visit was stopped, or the connection was lost, be it the host's or that of the jump host on the
// way. It says nothing about what is on the host.
func (k Kind) IsInterruption() bool {
	return k == Timeout || k == Cancelled || k == Disconnected || k == JumpFailed
}

// SaysNothing tells whether a visit that failed in this way is no news of its host: it did not take place, or was broken
// off, for reasons of the server's.
func (k Kind) SaysNothing() bool { return k == Cancelled || k == Busy || k == Backoff }

// Error is the failure of one visit. Err is the cause, never nil; Advice is one sentence in the imperative that says
// what to do next, and may be empty, in which case the Kind's own advice holds, or for a Timeout the Stage's.
type Error struct {
	Host   string // the host's name in the configuration; empty where it is not known yet
	Stage  Stage  // empty where it is not known yet
	Kind   Kind
	Jump   string // the name of the jump host that is to blame; empty: none is. What all hosts behind it have in common
	Advice string
	Err    error
}

// New returns a failure of the given stage and kind, caused by err.
func New(stage Stage, kind Kind, err error) *Error {
	return &Error{Stage: stage, Kind: kind, Err: err}
}

// Error returns host, stage and cause in one line, without the advice. What is empty is left out.
func (e *Error) Error() string {
	var b strings.Builder
	if e.Host != "" {
		b.WriteString(e.Host)
		b.WriteString(": ")
	}
	if e.Stage != "" {
		b.WriteString(string(e.Stage))
		b.WriteString(": ")
	}
	fmt.Fprint(&b, e.Err)
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Help returns what a person can do about the failure: the failure's own advice, or that of its kind and stage.
func (e *Error) Help() string {
	switch {
	case e.Advice != "":
		return e.Advice
	case e.Kind == Timeout:
		return e.Stage.Slow()
	}
	return e.Kind.Advice()
}

// From returns err as a failure of the given stage. A *Error in err's chain that has a stage is returned as it is; one
// without a stage, as the packages below a visit return it, keeps its kind and advice and gets the stage, with all of
// err as its cause. Any other error gets the kind that Classify finds. From(stage, nil) is nil.
func From(stage Stage, err error) *Error {
	if err == nil {
		return nil
	}
	var known *Error
	if !errors.As(err, &known) {
		return New(stage, Classify(err), err)
	}
	if known.Stage != "" {
		return known
	}
	return &Error{Stage: stage, Kind: known.Kind, Jump: known.Jump, Advice: known.Advice, Err: err}
}

// Classify returns the kind of an error of the operating system, the network or a context; Disconnected where it is
// none that it knows.
func Classify(err error) Kind {
	var dns *net.DNSError
	var network net.Error
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return Timeout
	case errors.Is(err, context.Canceled):
		return Cancelled
	case errors.As(err, &dns) && dns.IsNotFound:
		return NoSuchHost
	case isRefused(err):
		return Refused
	case isUnreachable(err):
		return Unreachable
	case errors.As(err, &network) && network.Timeout():
		return Timeout
	}
	return Disconnected
}
