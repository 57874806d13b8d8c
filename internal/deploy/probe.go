package deploy

import (
	"context"
	"fmt"
	"strings"

	"muster/internal/failure"
	"muster/internal/remote"
)

// Exit statuses by which a POSIX shell says that it did not run a command (POSIX.1-2017, Shell, 2.8.2).
const (
	statusNotExecutable = 126
	statusNotFound      = 127
)

// statusNoCommand is the one by which cmd.exe says that it did not run a command (MSG_DIR_BAD_COMMAND_OR_FILE).
const statusNoCommand = 9009

// probe runs the client once, to print its version, and returns the command that did it.
func (i *installation) probe(ctx context.Context, p place) (string, *failure.Error) {
	var telling remote.Result // the answer that says most of why it does not run
	for n, command := range i.commands(p) {
		answer, err := i.conn.Output(ctx, command+" --version", nil)
		if err != nil {
			return "", i.explainEnd(ctx, p, err)
		}
		if answer.Status == 0 && strings.Contains(string(answer.Stdout), i.client.Version) {
			return command, nil
		}
		if n == 0 || telling.Status == statusNotFound { // a POSIX shell does not find what is written with backslashes
			telling = answer
		}
	}
	failed := i.explainProbe(telling)
	if i.windows() {
		failed = i.explainWindows(telling, failed)
	}
	return "", i.missing(ctx, p, failed)
}

// commands returns how to call the client. On Windows the shell is cmd.exe or PowerShell, which take a backslash, or one of
// the POSIX shells there, which do not. Its commands begin in the home, unless a profile or AutoRun goes elsewhere: then the
// whole path does it, if no shell reads more into it.
func (i *installation) commands(p place) []string {
	if !i.windows() {
		return []string{remote.Quote(p.file(i.name()))}
	}
	command := p.command + `\` + i.name()
	commands := []string{command}
	whole := strings.TrimPrefix(p.file(i.name()), "/")
	if p.inHome && isSimple(strings.TrimPrefix(whole, driveOf(whole))) && len(whole)+len(" --version") <= longestCommand {
		commands = append(commands, backslashes(whole))
	}
	return append(commands, strings.ReplaceAll(command, `\`, "/"))
}

// explainEnd is the failure of a client that did not end with a status: it was killed, or the connection is lost.
func (i *installation) explainEnd(ctx context.Context, p place, err error) *failure.Error {
	if failed := lost(err); failed != nil {
		return failed
	}
	failed := failure.New(failure.Deploy, failure.ClientFailed, fmt.Errorf("the client does not run: %w", err))
	if at(failure.Deploy, err).Kind == failure.ClientCrashed {
		failed.Kind = failure.ClientCrashed
	} else {
		failed.Advice = byHand
	}
	return i.gone(ctx, p, i.name(), failed)
}

const byHand = "run the client there by hand with --version and see what the host's system log says"

// explainProbe says why the client did not run. The exit status tells a shell's refusal from the client's failure, except
// with csh and on Windows; what the refusal was for is to be had from the words alone, whichever language they are in.
func (i *installation) explainProbe(answer remote.Result) *failure.Error {
	words := strings.ToLower(string(answer.Stderr) + string(answer.Stdout))
	kind := failure.ClientFailed
	switch {
	case isWrongFormat(words):
		kind = failure.WrongPlatform
	case answer.Status == statusNotExecutable, strings.Contains(words, "permission denied"):
		kind = failure.NoExec
	case answer.Status == statusNotFound:
		missing := fmt.Errorf("the shell does not find the client there: %s", said(answer))
		failed := failure.New(failure.Deploy, failure.NoExec, missing)
		failed.Advice = "SFTP and the shell must see the same files: look for ChrootDirectory in the host's sshd_config"
		return failed
	}
	if crash := remote.Crash(answer.Status); crash != "" && kind == failure.ClientFailed {
		return failure.New(failure.Deploy, failure.ClientCrashed, fmt.Errorf("%s when the client was tried: %s", crash, said(answer)))
	}
	failed := failure.New(failure.Deploy, kind, fmt.Errorf("the client does not run there: %s", said(answer)))
	if kind == failure.ClientFailed {
		failed.Advice = byHand
	}
	return failed
}

// isWrongFormat recognises how shells and systems say that a program is one for another machine.
func isWrongFormat(words string) bool {
	for _, sign := range []string{
		"exec format error", "cannot execute binary file", // POSIX shells, csh, fish
		"could not be run by the operating system", // fish since 3.2
		"bad cpu type", "malformed mach-o", // macOS
		"not compatible with the version of windows", "not a valid application for this os platform", // cmd.exe, PowerShell
		"is not a valid win32 application",
	} {
		if strings.Contains(words, sign) {
			return true
		}
	}
	return false
}
