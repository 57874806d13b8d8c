// Command winsshd is a Windows host for tests: an SSH server that is built for Windows, runs under Wine, and behaves as
// OpenSSH for Windows does where that differs from other systems.
//
//	winsshd.exe -home C:\users\jane [-shell cmd|powershell] [-password WORD] [-key FILE] [-hold]
//
// It prints its address and its line for known_hosts, and ends when its standard input does. What it has in common with
// the original (PowerShell/openssh-portable, contrib/win32/win32compat/w32-doexec.c):
//
//   - A command is run by cmd.exe /c "COMMAND", in which nothing is escaped, or by powershell.exe -c COMMAND, in the home
//     folder of the user.
//   - The environment is that of a login: USERPROFILE, LOCALAPPDATA and their like. TEMP names a folder that does not
//     exist, as on hosts where it can't be written to.
//   - A command of more than 250 characters is cut, as old builds did.
//   - What runs is not killed when the connection is lost: its standard input ends, and that is all.
//   - The exit status is that of the shell. With -hold the channel stays open after it, as where a process that was left
//     behind holds the output open.
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
	h := host{}
	flags.StringVar(&h.shell, "shell", "cmd", "the default shell: cmd or powershell")
	flags.BoolVar(&h.hold, "hold", false, "leave the channel open after the exit status")
	home := flags.String("home", "", "the user's home folder")
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
		Home: *home, Password: *password, Keys: keys, Exec: h.run,
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

// host is how the server behaves.
type host struct {
	shell string
	hold  bool
}

// longest is how much of a command old builds hand to the shell.
const longest = 250

// run runs a command. Unlike sshtest.Shell it kills nothing.
func (h *host) run(ctx context.Context, s *sshtest.Session) sshtest.Exit {
	line := s.Command
	if len(line) > longest {
		line = line[:longest]
	}
	command, err := shellCommand(h.shell, line)
	if err != nil {
		fmt.Fprintln(s.Stderr, err)
		return sshtest.Exit{Status: 255}
	}
	command.Dir, command.Env = s.Home, environment(s)
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
	return sshtest.Exit{Silent: true, Hold: h.hold}
}

// environment is that of a login.
func environment(s *sshtest.Session) []string {
	drive, path, _ := strings.Cut(s.Home, ":")
	root := os.Getenv("SystemRoot")
	system := filepath.Join(root, "system32")
	env := []string{
		"USERNAME=" + s.User, "USERPROFILE=" + s.Home, "HOMEDRIVE=" + drive + ":", "HOMEPATH=" + path,
		"LOCALAPPDATA=" + filepath.Join(s.Home, `AppData\Local`), "APPDATA=" + filepath.Join(s.Home, `AppData\Roaming`),
		"SystemRoot=" + root, "SystemDrive=C:", "ComSpec=" + filepath.Join(system, "cmd.exe"),
		"PATH=" + system + ";" + root, "PATHEXT=.COM;.EXE;.BAT;.CMD", "TEMP=" + `C:\no\such\folder`, "TMP=" + `C:\no\such\folder`,
	}
	for _, name := range []string{"PROCESSOR_ARCHITECTURE", "NUMBER_OF_PROCESSORS", "COMPUTERNAME", "OS"} {
		env = append(env, name+"="+os.Getenv(name))
	}
	return env
}

var errNotWindows = errors.New("it is only a host where it is built for Windows")
