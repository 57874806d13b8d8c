package deploy

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"muster/internal/failure"
	"muster/internal/remote"
	"muster/internal/report"
)

// saidLimit bounds what is repeated of a host's words in an error, in characters.
const saidLimit = 200

// Detect asks a host what it is. uname -sm says it everywhere but on Windows, where there is no such command; there the
// form of the home folder's path in SFTP says that it is Windows (/C:/Users/…), and the environment which processor.
// Lines that a login script prints are passed over.
//
// The platform need not be one that there is a client for: that is Install's to say. Errors are *failure.Error of the stage
// Platform, UnknownPlatform where the host answers with nothing that is understood, NoShell where it runs no commands.
func Detect(ctx context.Context, conn *remote.Conn) (Platform, error) {
	answer, err := conn.Output(ctx, "uname -sm", nil)
	if err != nil {
		return Platform{}, at(failure.Platform, err)
	}
	if p, ok := parseUname(string(answer.Stdout)); ok {
		return p, nil
	}
	windows, err := isWindows(ctx, conn)
	if err != nil {
		return Platform{}, err
	}
	switch {
	case windows:
	case answer.Status != 0 && !speaks(ctx, conn):
		return Platform{}, failure.New(failure.Platform, failure.NoShell, fmt.Errorf("the host runs no commands: uname -sm answered %s", said(answer)))
	default:
		return Platform{}, unknown("uname -sm", answer)
	}
	return detectWindows(ctx, conn)
}

// speaks tells whether there is a shell that runs commands, in which every one of them has an echo. A login shell such as
// nologin says the same to everything, and a forced command that is not ours likewise.
func speaks(ctx context.Context, conn *remote.Conn) bool {
	const word = "muster-speaks"
	answer, err := conn.Output(ctx, "echo "+word, nil)
	return err != nil || strings.Contains(string(answer.Stdout), word)
}

// parseUname reads what uname -sm prints: the last line that is the name of a system and a machine. The shells of Cygwin
// and MSYS on Windows answer too. If there is no such line it is the last that ends so, because a login script may have
// left its own line open.
func parseUname(printed string) (Platform, bool) {
	lines := strings.Split(printed, "\n")
	slices.Reverse(lines)
	for _, line := range lines {
		if fields := strings.Fields(line); len(fields) == 2 {
			if p, ok := unamePlatform(fields[0], fields[1], strings.HasPrefix); ok {
				return p, true
			}
		}
	}
	for _, line := range lines {
		if fields := strings.Fields(line); len(fields) >= 2 {
			if p, ok := unamePlatform(fields[len(fields)-2], fields[len(fields)-1], strings.Contains); ok {
				return p, true
			}
		}
	}
	return Platform{}, false
}

// unamePlatform reads one answer. is tells whether a word is the name of a system: it is, or has, or begins with it.
func unamePlatform(word, machineName string, is func(word, name string) bool) (Platform, bool) {
	arch, ok := machine(machineName)
	if !ok {
		return Platform{}, false
	}
	for _, system := range []struct{ name, os string }{
		{"Linux", "linux"}, {"Darwin", "darwin"}, {"FreeBSD", "freebsd"},
		{"MINGW", "windows"}, {"MSYS_NT", "windows"}, {"CYGWIN_NT", "windows"}, // with a version after it
	} {
		if is(word, system.name) {
			return Platform{OS: system.os, Arch: arch}, true
		}
	}
	return Platform{}, false
}

func machine(name string) (string, bool) {
	switch strings.ToLower(name) {
	case "x86_64", "amd64":
		return "amd64", true
	case "aarch64", "arm64":
		return "arm64", true
	}
	return "", false
}

// isWindows tells whether the home folder is on a drive. A host without SFTP does not say, and counts as none.
func isWindows(ctx context.Context, conn *remote.Conn) (bool, error) {
	files, err := conn.Files(ctx)
	var home string
	if err == nil {
		home, err = files.RealPath(ctx, ".")
	}
	if err == nil {
		return isDrivePath(home), nil
	}
	if failed := at(failure.Platform, err); failed.Kind.IsInterruption() {
		return false, failed
	}
	return false, nil
}

// isDrivePath tells whether an SFTP path is one of Windows, as in /C:/Users/x.
func isDrivePath(path string) bool {
	if len(path) < 3 || path[0] != '/' || path[2] != ':' {
		return false
	}
	drive := path[1] | 0x20
	return 'a' <= drive && drive <= 'z'
}

// detectWindows asks for the processor in the words of cmd.exe, then in those of PowerShell, which repeats the first
// question as it stands. The second variable is the processor itself where sshd is a 32-bit program.
func detectWindows(ctx context.Context, conn *remote.Conn) (Platform, error) {
	var answer remote.Result
	for _, question := range []string{
		"echo %PROCESSOR_ARCHITECTURE% %PROCESSOR_ARCHITEW6432%",
		"$env:PROCESSOR_ARCHITECTURE; $env:PROCESSOR_ARCHITEW6432",
	} {
		var err error
		if answer, err = conn.Output(ctx, question, nil); err != nil {
			return Platform{}, at(failure.Platform, err)
		}
		for _, word := range strings.Fields(string(answer.Stdout)) {
			if arch, ok := machine(word); ok {
				return Platform{OS: "windows", Arch: arch}, nil
			}
		}
	}
	return Platform{}, unknown("the question for PROCESSOR_ARCHITECTURE", answer)
}

// unknown is the failure of a host whose answer to a question is not understood.
func unknown(question string, answer remote.Result) *failure.Error {
	return failure.New(failure.Platform, failure.UnknownPlatform, fmt.Errorf(
		"%s answered %s: neither Linux, Windows, macOS nor FreeBSD on amd64 or arm64", question, said(answer)))
}

// said repeats the end of what a command printed, and its status where it is not 0.
func said(answer remote.Result) string {
	text := tail(answer.Stdout)
	if text == "" {
		text = tail(answer.Stderr)
	}
	if answer.Status == 0 {
		return `"` + text + `"`
	}
	return fmt.Sprintf("\"%s\" (exit status %d)", text, answer.Status)
}

// tail returns the end of what a host printed, made fit to show on one line.
func tail(printed []byte) string {
	printed = bytes.TrimSpace(printed)
	printed = printed[max(0, len(printed)-4*saidLimit):]
	text := strings.ReplaceAll(strings.ReplaceAll(string(printed), "\r", ""), "\n", " ")
	runes := []rune(report.Visible(text, 0))
	if len(runes) <= saidLimit {
		return string(runes)
	}
	return "…" + string(runes[len(runes)-saidLimit:])
}

// at returns err, which must not be nil, as a failure of the given stage.
func at(stage failure.Stage, err error) *failure.Error {
	known := failure.From(stage, err)
	if known.Stage == stage {
		return known
	}
	moved := *known
	moved.Stage = stage
	return &moved
}
