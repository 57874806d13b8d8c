package deploy_test

import (
	"context"
	"io"
	"runtime"
	"strings"
	"testing"

	"muster/internal/deploy"
	"muster/internal/failure"
	"muster/internal/sshtest"
)

func TestDetect(t *testing.T) {
	for name, test := range map[string]struct {
		said string
		want string
	}{
		"Linux":            {"Linux x86_64\n", "linux/amd64"},
		"Linux on ARM":     {"Linux aarch64\n", "linux/arm64"},
		"macOS":            {"Darwin arm64\n", "darwin/arm64"},
		"macOS on Intel":   {"Darwin x86_64\n", "darwin/amd64"},
		"FreeBSD":          {"FreeBSD amd64\n", "freebsd/amd64"},
		"FreeBSD on ARM":   {"FreeBSD arm64\n", "freebsd/arm64"},
		"carriage return":  {"Linux x86_64\r\n", "linux/amd64"},
		"banner before":    {"Welcome to Darwin arm64!\nDarwin x86_64 is gone\n\nLinux x86_64\n", "linux/amd64"},
		"words after":      {"Linux x86_64\nbye bye\n", "linux/amd64"},
		"no line end":      {"Linux x86_64", "linux/amd64"},
		"Git Bash":         {"MINGW64_NT-10.0-19045 x86_64\n", "windows/amd64"},
		"Cygwin":           {"CYGWIN_NT-10.0 x86_64\n", "windows/amd64"},
		"another machine":  {"Linux riscv64\n", ""},
		"a 32-bit kernel":  {"Linux i686\n", ""},
		"another system":   {"SunOS sun4v\n", ""},
		"nothing":          {"", ""},
		"open line before": {"Linux is great!Linux aarch64\n", "linux/arm64"},
		"words alone":      {"this Linux runs on x86_64 machines\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, func(o *sshtest.Options) { o.Exec = sshtest.Answer(test.said, 0) })
			got, err := deploy.Detect(t.Context(), h.conn)
			if test.want == "" {
				wantFailure(t, err, failure.Platform, failure.UnknownPlatform, strings.TrimSpace(test.said))
				return
			}
			if err != nil || got.String() != test.want {
				t.Errorf("got %s, %v; want %s", got, err, test.want)
			}
		})
	}
}

func TestDetectForReal(t *testing.T) {
	h := newHost(t, nil)
	got, err := deploy.Detect(t.Context(), h.conn)
	if err != nil || got.OS != runtime.GOOS {
		t.Errorf("got %s, %v; this is %s", got, err, runtime.GOOS)
	}
}

// An answer that is not understood is repeated in the failure, bounded and without what would disturb a terminal.
func TestDetectRepeatsWhatWasSaid(t *testing.T) {
	h := newHost(t, func(o *sshtest.Options) {
		o.Exec = sshtest.Answer(strings.Repeat("x", 5000)+"\x1b[2J\nThis account is not available.", 1)
	})
	_, err := deploy.Detect(t.Context(), h.conn)
	wantFailure(t, err, failure.Platform, failure.NoShell, "This account is not available.", "exit status 1", `\x1b[2J`)
	if len(err.Error()) > 600 || strings.Contains(err.Error(), "\x1b") {
		t.Errorf("the error has %d bytes: %q", len(err.Error()), err)
	}
}

// windows answers as a Windows host does: with cmd.exe or PowerShell for a shell.
func windows(powerShell bool, processor string) sshtest.Handler {
	return func(_ context.Context, s *sshtest.Session) sshtest.Exit {
		switch {
		case strings.HasPrefix(s.Command, "echo") && powerShell:
			_, _ = io.WriteString(s.Stdout, "%PROCESSOR_ARCHITECTURE%\r\n%PROCESSOR_ARCHITEW6432%\r\n")
		case strings.HasPrefix(s.Command, "echo"):
			_, _ = io.WriteString(s.Stdout, processor+"\r\n")
		case strings.HasPrefix(s.Command, "$env:") && powerShell:
			_, _ = io.WriteString(s.Stdout, strings.ReplaceAll(processor, " ", "\r\n")+"\r\n")
		default:
			_, _ = io.WriteString(s.Stderr, "'uname' is no internal or external command,\r\n")
			return sshtest.Exit{Status: 1}
		}
		return sshtest.Exit{}
	}
}

func TestDetectWindows(t *testing.T) {
	for name, test := range map[string]struct {
		powerShell bool
		processor  string
		want       string
	}{
		"cmd.exe":            {false, "AMD64 %PROCESSOR_ARCHITEW6432%", "windows/amd64"},
		"cmd.exe on ARM":     {false, "ARM64 %PROCESSOR_ARCHITEW6432%", "windows/arm64"},
		"32-bit sshd":        {false, "x86 AMD64", "windows/amd64"},
		"PowerShell":         {true, "AMD64", "windows/amd64"},
		"PowerShell on ARM":  {true, "ARM64", "windows/arm64"},
		"another processor":  {false, "IA64 %PROCESSOR_ARCHITEW6432%", ""},
		"PowerShell, 32 bit": {true, "x86", ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, func(o *sshtest.Options) {
				o.Exec = windows(test.powerShell, test.processor)
				o.SFTP = driveFiles(t.TempDir())
			})
			got, err := deploy.Detect(t.Context(), h.conn)
			if test.want == "" {
				wantFailure(t, err, failure.Platform, failure.UnknownPlatform, "PROCESSOR_ARCHITECTURE")
				return
			}
			if err != nil || got.String() != test.want {
				t.Errorf("got %s, %v; want %s", got, err, test.want)
			}
		})
	}
}

// A host without uname and without SFTP is not called a host without SFTP: what it said counts.
func TestDetectWithoutSFTP(t *testing.T) {
	h := newHost(t, func(o *sshtest.Options) {
		o.Exec = sshtest.Answer("unknown command", 1)
		o.Refuse = func(request string) bool { return request == "sftp" }
	})
	_, err := deploy.Detect(t.Context(), h.conn)
	wantFailure(t, err, failure.Platform, failure.NoShell, "unknown command")
}

func TestDetectEndsWithItsContext(t *testing.T) {
	begun := make(chan struct{})
	h := newHost(t, func(o *sshtest.Options) {
		o.Exec = func(ctx context.Context, s *sshtest.Session) sshtest.Exit {
			close(begun)
			return sshtest.Hang(ctx, s)
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-begun; cancel() }()
	_, err := deploy.Detect(ctx, h.conn)
	wantFailure(t, err, failure.Platform, failure.Cancelled)
}

func TestDetectWithoutShell(t *testing.T) {
	h := newHost(t, func(o *sshtest.Options) { o.Refuse = func(request string) bool { return request == "exec" } })
	_, err := deploy.Detect(t.Context(), h.conn)
	wantFailure(t, err, failure.Platform, failure.NoShell)
}
