// Command winsshd is a Windows host for tests: an SSH server that is built for Windows, runs under Wine, and behaves as
// OpenSSH for Windows does where that differs from other systems.
//
//	winsshd.exe [-password WORD] [-key FILE]
//
// It prints its address and its line for known_hosts, and ends when its standard input does. A user's name is that of a folder in
// C:\users, the home; after it may stand how the host is for this user, each word with a + before it:
//
//	powershell   the default shell is PowerShell, not cmd.exe
//	elsewhere    commands do not begin in the home, as where a profile changes the folder
//	hold         the client's channel stays open after the exit status, as where what was left behind holds its output open
//	quarantine   the client disappears before it is run for the first time
//	later        the client disappears before it is run without arguments
//	infected     the client can't be run, and Windows says in German that it is a virus
//
// What it has in common with the original (PowerShell/openssh-portable, contrib/win32/win32compat/w32-doexec.c):
//
//   - A command is run by cmd.exe /c "COMMAND", in which nothing is escaped, or by powershell.exe -c COMMAND, in the home
//     folder of the user.
//   - The environment is that of a login: USERPROFILE, LOCALAPPDATA and their like. TEMP names a folder that does not
//     exist, as on hosts where it can't be written to.
//   - A command of more than 250 characters is cut, as old builds did.
//   - What runs is not killed when the connection is lost: its standard input ends, and that is all.
//   - The exit status is that of the shell, and is said when the shell has ended, whatever it left behind.
//   - SFTP's paths are those of /C:/users/jane, and what Windows says of files that are in use is said.
//
// Under the name powershell.exe the program is a stand-in for that shell, under certutil.exe for that tool; Wine has
// neither.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"

	"muster/internal/sshtest"
)

// version is what OpenSSH for Windows calls itself.
const version = "SSH-2.0-OpenSSH_for_Windows_9.5"

func main() {
	switch name := strings.ToLower(filepath.Base(os.Args[0])); strings.TrimSuffix(name, ".exe") {
	case "powershell":
		os.Exit(powershell(os.Args[1:]))
	case "certutil":
		os.Exit(certutil(os.Args[1:], os.Stdout))
	}
	if err := serve(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "winsshd:", err)
		os.Exit(1)
	}
}

// serve runs the server until stdin ends.
func serve(arguments []string, stdin io.Reader, stdout io.Writer) error {
	flags := flag.NewFlagSet("winsshd", flag.ContinueOnError)
	password := flags.String("password", "", "who knows it may log in")
	keyFile := flags.String("key", "", "a file in the form of authorized_keys: who has one of them may log in")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	openDesktop()
	keys, err := readKeys(*keyFile)
	if err != nil {
		return err
	}
	server, err := sshtest.New(sshtest.Options{
		Home: users, Password: *password, Keys: keys, Exec: run, SFTP: files,
		Configure: func(c *ssh.ServerConfig) { c.ServerVersion = version },
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%s\n%s", server.Addr(), server.KnownHostsLine())
	_, _ = io.Copy(io.Discard, stdin)
	return server.Close()
}

func readKeys(path string) ([]ssh.PublicKey, error) {
	if path == "" {
		return nil, nil
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var keys []ssh.PublicKey
	for lines := bufio.NewScanner(file); lines.Scan(); {
		key, _, _, _, err := ssh.ParseAuthorizedKey(lines.Bytes())
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// users is where the homes are.
const users = `C:\users`

// account is a user, and how the host is for this user.
type account struct {
	home  string
	words []string
}

func accountOf(s *sshtest.Session) account {
	words := strings.Split(s.User, "+")
	return account{home: filepath.Join(users, words[0]), words: words[1:]}
}

func (a account) is(word string) bool { return slices.Contains(a.words, word) }

// files serves SFTP, which begins in the user's home.
func files(ctx context.Context, s *sshtest.Session) sshtest.Exit {
	s.Home = accountOf(s).home
	return sshtest.ServeFiles(ctx, s)
}

// longest is how much of a command old builds hand to the shell.
const longest = 250

// run runs a command. Unlike sshtest.Shell it kills nothing.
func run(ctx context.Context, s *sshtest.Session) sshtest.Exit {
	a := accountOf(s)
	line := s.Command
	if len(line) > longest {
		line = line[:longest]
	}
	if a.scan(s, line) {
		return sshtest.Exit{Status: 1}
	}
	command, err := shellCommand(a.is("powershell"), line)
	if err != nil {
		fmt.Fprintln(s.Stderr, err)
		return sshtest.Exit{Status: 255}
	}
	command.Dir, command.Env = a.home, environment(s.User, a.home)
	if a.is("elsewhere") {
		command.Dir = users
	}
	p, err := start(command)
	if err != nil {
		fmt.Fprintln(s.Stderr, err)
		return sshtest.Exit{Status: 255}
	}
	defer p.close()
	go p.feed(s.Stdin)
	ended := p.drain(s)
	// The exit status is said at once, the channel is closed when all output is through.
	status := p.wait()
	_, _ = s.Channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{status}))
	select {
	case <-ended:
	case <-ctx.Done():
	}
	return sshtest.Exit{Silent: true, Hold: a.is("hold") && isClient(line)}
}

// isClient tells whether a command runs the client for good, not to see that it runs.
func isClient(line string) bool {
	return strings.Contains(line, "muster-client-") && strings.HasSuffix(line, ".exe")
}

// scan is the virus scanner. It returns true where it has said why a command is not run.
func (a account) scan(s *sshtest.Session, line string) (denied bool) {
	if !strings.Contains(line, "muster-client-") || strings.HasPrefix(line, "certutil") {
		return false
	}
	if a.is("quarantine") || a.is("later") && isClient(line) {
		found, _ := filepath.Glob(filepath.Join(a.home, `AppData\Local\muster\muster-client-*.exe`))
		for _, path := range found {
			_ = os.Remove(path)
		}
	}
	if a.is("infected") {
		// In the code page of the console, 850 there: ö is one byte.
		_, _ = io.WriteString(s.Stderr, "Der Vorgang konnte nicht erfolgreich abgeschlossen werden, da die Datei einen Virus "+
			"oder m\x94glicherweise unerw\x81nschte Software enth\x84lt.\r\n")
		return true
	}
	return false
}

// environment is that of a login.
func environment(user, home string) []string {
	drive, path, _ := strings.Cut(home, ":")
	root := os.Getenv("SystemRoot")
	system := filepath.Join(root, "system32")
	env := []string{
		"USERNAME=" + user, "USERPROFILE=" + home, "HOMEDRIVE=" + drive + ":", "HOMEPATH=" + path,
		"LOCALAPPDATA=" + filepath.Join(home, `AppData\Local`), "APPDATA=" + filepath.Join(home, `AppData\Roaming`),
		"SystemRoot=" + root, "SystemDrive=C:", "ComSpec=" + filepath.Join(system, "cmd.exe"),
		"PATH=" + system + ";" + root, "PATHEXT=.COM;.EXE;.BAT;.CMD", "TEMP=" + `C:\no\such\folder`, "TMP=" + `C:\no\such\folder`,
	}
	for _, name := range []string{"PROCESSOR_ARCHITECTURE", "NUMBER_OF_PROCESSORS", "COMPUTERNAME", "OS"} {
		env = append(env, name+"="+os.Getenv(name))
	}
	return env
}

var errNotWindows = errors.New("it is only a host where it is built for Windows")
