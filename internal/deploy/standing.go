package deploy

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"muster/internal/failure"
	"muster/internal/remote"
	"muster/internal/report"
)

// Standing returns a client that an administrator has installed, at an absolute path on the host, as in
// /usr/local/libexec/muster-client or C:\ProgramData\muster\muster-client.exe. Nothing is asked of the host: whether the
// client is there, and what it is, shows when it is run. So it needs neither SFTP nor a shell that runs anything else, and
// where a forced command stands in the command's place, that is what runs.
//
// A path that can't be used is a *failure.Error of the kind Configuration.
func Standing(file string) (Installed, error) {
	windows := strings.ReplaceAll(file, `\`, "/")
	switch {
	case driveOf(windows) != "":
		windows = strings.TrimPrefix(windows, "/")
		if !isSimple(strings.ReplaceAll(strings.TrimPrefix(windows, driveOf(windows)), "~", "")) {
			return Installed{}, unusable(file, "on Windows it may hold letters, digits and . _ - ~ alone")
		}
		return Installed{Command: strings.TrimPrefix(file, "/")}, nil // as it is written: shells there differ in what they take
	case !path.IsAbs(file) || strings.HasSuffix(file, "/"):
		return Installed{}, unusable(file, "it must be the whole path of a program")
	case !isPlain(file):
		return Installed{}, unusable(file, "it holds control characters")
	}
	return Installed{Command: remote.Quote(file)}, nil
}

func unusable(file, why string) *failure.Error {
	return failure.New(failure.Run, failure.Configuration,
		fmt.Errorf("client %s can't be run: %w", report.Visible(file, saidLimit), errors.New(why)))
}

// WithSudo returns a command that runs another one by sudo, which is not to ask for anything (-n).
func WithSudo(command string) string { return "sudo -n -- " + command }

// Refusal says why a shell, or sudo, did not run a command, from the exit status and what was said: WrongPlatform, NoExec or
// ClientMissing, and nothing where it seems to have run. What the exit status does not tell is to be had from words in
// English alone.
func Refusal(status int, said string) failure.Kind {
	said = strings.ToLower(said)
	has := func(sign string) bool { return strings.Contains(said, sign) }
	switch {
	case isWrongFormat(said), status == 2 && has("syntax error"): // busybox and sudo have a shell read what they can't run
		return failure.WrongPlatform
	case status == statusNotExecutable, has("permission denied"), has("unable to execute"):
		return failure.NoExec
	case status == statusNotFound, status == statusNoCommand, has("command not found"), // the words are sudo's and csh's
		has("is not recognized as"), has("the system cannot find the path"): // cmd.exe and PowerShell
		return failure.ClientMissing
	}
	return ""
}
