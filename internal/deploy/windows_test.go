package deploy_test

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"muster/internal/deploy"
	"muster/internal/failure"
	"muster/internal/report"
	"muster/internal/sshtest"
)

func TestInstallOnWindows(t *testing.T) {
	h, folder := newWindowsHost(t, cmdExe)
	clients := windowsClients(t, "MZ")
	name := nameOf("MZ") + ".exe"
	for visit, uploaded := range []bool{true, false} {
		got, err := clients.Install(t.Context(), h.conn, windowsPlatform, "")
		if err != nil {
			t.Fatal(err)
		}
		want := deploy.Installed{
			Platform: windowsPlatform, Command: `AppData\Local\muster\` + name,
			Directory: windowsHome + "/AppData/Local/muster", Uploaded: uploaded,
		}
		if got != want {
			t.Errorf("visit %d: got %+v, want %+v", visit, got, want)
		}
	}
	if got := files(t, filepath.Join(folder, "AppData/Local/muster")); len(got) != 1 || got[0] != name {
		t.Errorf("the folder holds %q, want the client alone", got)
	}
	for _, command := range h.ran() {
		if strings.ContainsAny(command, `"'`) || len(command) > 200 {
			t.Errorf("the command %q has a quote or is too long for some shells of Windows", command)
		}
	}
}

// A POSIX shell as the default shell of Windows takes slashes alone, and has no certutil here: the file is read back.
func TestInstallOnWindowsWithBash(t *testing.T) {
	h, _ := newWindowsHost(t, func(folder string) sshtest.Handler {
		return func(_ context.Context, s *sshtest.Session) sshtest.Exit {
			path, _, _ := strings.Cut(s.Command, " ")
			if _, err := os.Stat(filepath.Join(folder, strings.ReplaceAll(path, `\`, ""))); err != nil {
				return sshtest.Exit{Status: 127}
			}
			_, _ = io.WriteString(s.Stdout, "1.0\n")
			return sshtest.Exit{}
		}
	})
	got, err := windowsClients(t, "MZ").Install(t.Context(), h.conn, windowsPlatform, "")
	if want := "AppData/Local/muster/" + nameOf("MZ") + ".exe"; err != nil || got.Command != want {
		t.Errorf("got %q, %v; want %q", got.Command, err, want)
	}
}

// What can't be renamed over is left alone if it is the client, whoever put it there, and replaced if it is not.
func TestInstallOnWindowsOverADamagedClient(t *testing.T) {
	h, folder := newWindowsHost(t, cmdExe)
	place := filepath.Join(folder, "AppData/Local/muster")
	if err := os.MkdirAll(place, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(place, nameOf("MZ")+".exe")
	if err := os.WriteFile(path, []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := windowsClients(t, "MZ").Install(t.Context(), h.conn, windowsPlatform, "")
	if err != nil || !got.Uploaded {
		t.Fatalf("got %+v, %v", got, err)
	}
	if content, err := os.ReadFile(path); err != nil || string(content) != "MZ" {
		t.Errorf("the client is %q, %v", content, err)
	}
}

// What can't be removed either, because it runs, is renamed. It goes when it is as old as other leftovers.
func TestInstallOnWindowsOverADamagedClientThatRuns(t *testing.T) {
	h, folder := newWindowsHost(t, cmdExe)
	place := filepath.Join(folder, "AppData/Local/muster")
	if err := os.MkdirAll(place, 0o700); err != nil {
		t.Fatal(err)
	}
	name := nameOf("MZ") + ".exe"
	if err := os.WriteFile(filepath.Join(place, name), []byte("damaged"), running); err != nil {
		t.Fatal(err)
	}
	if _, err := windowsClients(t, "MZ").Install(t.Context(), h.conn, windowsPlatform, ""); err != nil {
		t.Fatal(err)
	}
	if content, err := os.ReadFile(filepath.Join(place, name)); err != nil || string(content) != "MZ" {
		t.Errorf("the client is %q, %v", content, err)
	}
	left := files(t, place)
	if len(left) != 2 || !strings.HasPrefix(left[0], report.UploadPrefix) || !strings.HasSuffix(left[0], ".exe") {
		t.Fatalf("the folder holds %q", left)
	}
	long := time.Now().Add(-2 * report.LeftoverAge)
	if err := os.Chtimes(filepath.Join(place, left[0]), long, long); err != nil {
		t.Fatal(err)
	}
	install := func(program string) {
		t.Helper()
		if _, err := windowsClients(t, program).Install(t.Context(), h.conn, windowsPlatform, ""); err != nil {
			t.Fatal(err)
		}
	}
	install("MZ2")
	if got := files(t, place); len(got) != 3 {
		t.Errorf("while it runs the folder holds %q", got)
	}
	if err := os.Chmod(filepath.Join(place, left[0]), 0o600); err != nil {
		t.Fatal(err)
	}
	install("MZ3")
	if got := files(t, place); len(got) != 3 || strings.HasPrefix(got[0], report.UploadPrefix) {
		t.Errorf("when it has ended the folder holds %q", got)
	}
}

func TestInstallOnWindowsQuarantined(t *testing.T) {
	h, _ := newWindowsHost(t, func(folder string) sshtest.Handler {
		run := cmdExe(folder)
		return func(ctx context.Context, s *sshtest.Session) sshtest.Exit {
			if strings.Contains(s.Command, "--version") {
				_ = os.RemoveAll(filepath.Join(folder, "AppData"))
			}
			return run(ctx, s)
		}
	})
	_, err := windowsClients(t, "MZ").Install(t.Context(), h.conn, windowsPlatform, "")
	wantFailure(t, err, failure.Deploy, failure.Vanished, "disappeared", "allow the program with the SHA-256")
}

func TestInstallOnWindowsForAnotherMachine(t *testing.T) {
	h, _ := newWindowsHost(t, func(folder string) sshtest.Handler {
		run := cmdExe(folder)
		return func(ctx context.Context, s *sshtest.Session) sshtest.Exit {
			if strings.Contains(s.Command, "--version") {
				_, _ = io.WriteString(s.Stderr, "This version of x.exe is not compatible with the version of Windows you're running.")
				return sshtest.Exit{Status: 1}
			}
			return run(ctx, s)
		}
	})
	_, err := windowsClients(t, "MZ").Install(t.Context(), h.conn, windowsPlatform, "")
	wantFailure(t, err, failure.Deploy, failure.WrongPlatform, "not compatible")
}

// TestInstallOnWindowsForbidden has a host that does not let the client run, and says so in its language and code page.
func TestInstallOnWindowsForbidden(t *testing.T) {
	for _, c := range []struct {
		name   string
		words  string
		status uint32
		kind   failure.Kind
		says   []string
	}{
		{"a virus", "Operation did not complete successfully because the file contains a virus or potentially unwanted software.\r\n", 1,
			failure.Vanished, []string{"contains a virus", "allow the program with the SHA-256"}},
		{"a virus in German, code page 850", "Der Vorgang konnte nicht erfolgreich abgeschlossen werden, da die Datei einen Virus oder " +
			"m\x94glicherweise unerw\x81nschte Software enth\x84lt.\r\n", 1, failure.Vanished, []string{"einen Virus", "SHA-256"}},
		{"a virus, by its number", "\x8f\x90\r\n", 225, failure.Vanished, []string{"SHA-256"}},
		{"access denied", "Access is denied.\r\n", 1, failure.Vanished, []string{"Access is denied", "SHA-256"}},
		{"access denied, by its number", "Zugriff verweigert\r\n", 5, failure.Vanished, []string{"Zugriff verweigert", "SHA-256"}},
		{"PowerShell", "Program 'x.exe' failed to run: Access is deniedAt line:1 char:1\r\n", 1, failure.Vanished, []string{"SHA-256"}},
		{"a policy", "This program is blocked by group policy. For more information, contact your system administrator.\r\n", 1,
			failure.NoExec, []string{"AppLocker", "directory="}},
		{"something else", "Zu wenig Arbeitsspeicher verf\x81gbar\r\n", 1, failure.ClientFailed, []string{"Zu wenig", "by hand"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, folder := newWindowsHost(t, func(folder string) sshtest.Handler {
				run := cmdExe(folder)
				return func(ctx context.Context, s *sshtest.Session) sshtest.Exit {
					// What is written with slashes no shell of Windows finds: that is not to be the reason.
					if strings.Contains(s.Command, "--version") && !strings.Contains(s.Command, "/") {
						_, _ = io.WriteString(s.Stderr, c.words)
						return sshtest.Exit{Status: c.status}
					}
					return run(ctx, s)
				}
			})
			_, err := windowsClients(t, "MZ").Install(t.Context(), h.conn, windowsPlatform, "")
			wantFailure(t, err, failure.Deploy, c.kind, c.says...)
			if strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' || r == unicode.ReplacementChar }) {
				t.Errorf("%q can't be printed", err)
			}
			for _, place := range []string{"AppData/Local/muster", ".muster"} {
				if left := files(t, filepath.Join(folder, place)); len(left) > 0 {
					t.Errorf("%q are left", left)
				}
			}
		})
	}
}

// A scanner that holds a file lets nobody read it. That is so in every language.
func TestInstallOnWindowsHeldByAScanner(t *testing.T) {
	h, _ := newWindowsHost(t, func(folder string) sshtest.Handler {
		run := cmdExe(folder)
		return func(ctx context.Context, s *sshtest.Session) sshtest.Exit {
			if strings.Contains(s.Command, "--version") {
				place := filepath.Join(folder, "AppData/Local/muster")
				for _, name := range files(t, place) { // a folder of its name can't be read
					_ = os.Remove(filepath.Join(place, name))
					_ = os.Mkdir(filepath.Join(place, name), 0o700)
				}
				_, _ = io.WriteString(s.Stderr, "???\r\n")
				return sshtest.Exit{Status: 1}
			}
			return run(ctx, s)
		}
	})
	_, err := windowsClients(t, "MZ").Install(t.Context(), h.conn, windowsPlatform, "")
	wantFailure(t, err, failure.Deploy, failure.Vanished, "any more", "allow the program with the SHA-256")
}
