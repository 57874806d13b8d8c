package deploy_test

import (
	"testing"

	"muster/internal/deploy"
	"muster/internal/failure"
)

func TestStanding(t *testing.T) {
	for path, want := range map[string]string{
		"/usr/local/libexec/muster-client": "/usr/local/libexec/muster-client",
		"/opt/a b/$HOME":                   "'/opt/a b/$HOME'",
		`C:\muster\client-1.2_x.exe`:       `C:\muster\client-1.2_x.exe`,
		"c:/PROGRA~1/client.exe":           "c:/PROGRA~1/client.exe",
		"/C:/muster/client.exe":            "C:/muster/client.exe",
	} {
		got, err := deploy.Standing(path)
		if want := (deploy.Installed{Command: want}); err != nil || got != want {
			t.Errorf("%s: got %+v, %v", path, got, err)
		}
	}
	for path, words := range map[string]string{
		"":                      "whole path",
		"client":                "whole path",
		"~/client":              "whole path",
		"/opt/":                 "whole path",
		"/opt/a\nb":             "control characters",
		"/opt/\xff":             "control characters",
		`C:\a b\client.exe`:     "on Windows",
		`C:\a;calc`:             "on Windows",
		`C:\%TEMP%\client.exe`:  "on Windows",
		`\\server\share\client`: "whole path",
	} {
		_, err := deploy.Standing(path)
		wantFailure(t, err, failure.Run, failure.Configuration, words)
	}
}

// What shells print differs, and so does what they end with; that was heard of those which the tests of the visit run, and
// of the others is documented.
func TestRefusal(t *testing.T) {
	for _, c := range []struct {
		status int
		said   string
		want   failure.Kind
	}{
		{127, "sh: 1: /opt/client: not found", failure.ClientMissing},
		{127, "", failure.ClientMissing},
		{1, "/opt/client: Command not found.", failure.ClientMissing},
		{1, "sudo: /opt/client: command not found", failure.ClientMissing},
		{1, `'C:\x.exe' is not recognized as an internal or external command,`, failure.ClientMissing},
		{9009, `Can't recognize 'x.exe' as an internal or external command, or batch script.`, failure.ClientMissing},
		{1, "The system cannot find the path specified.", failure.ClientMissing},
		{126, "sh: 1: /opt/client: Permission denied", failure.NoExec},
		{126, "sh: 1: /opt/client: Keine Berechtigung", failure.NoExec},
		{1, "/opt/client: Permission denied.", failure.NoExec},
		{1, "sudo: unable to execute /opt/client: Operation not permitted", failure.NoExec},
		{126, "sh: 1: /opt/client: Exec format error", failure.WrongPlatform},
		{126, "exec: the file could not be run by the operating system.", failure.WrongPlatform},
		{2, `/opt/client: 1: Syntax error: ")" unexpected`, failure.WrongPlatform},
		{1, "This version of C:\\x.exe is not compatible with the version of Windows you're running.", failure.WrongPlatform},
		{1, "sudo: a password is required", ""},
		{1, "no", ""},
		{0, "hello", ""},
	} {
		if got := deploy.Refusal(c.status, c.said); got != c.want {
			t.Errorf("%d, %q: got %q, want %q", c.status, c.said, got, c.want)
		}
	}
}

func TestEntry(t *testing.T) {
	clients := deploy.Clients{}
	if got := clients.Entry(deploy.Platform{OS: "plan9", Arch: "amd64"}); got.SHA256 != "" {
		t.Errorf("got %+v", got)
	}
}
