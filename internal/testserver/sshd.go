package testserver

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

const (
	sshdUser     = "monitor"
	sshdUID      = 61234 // nobody's, on any machine that we know
	sshdPassword = "right horse battery"
	// sshdPasswordHash is what "openssl passwd -6 -salt muster" makes of sshdPassword.
	sshdPasswordHash = "$6$muster$lKwJMxkgyeMcq6d.yX4S0oBtzgyZzHYXqB0gi0tnOF5SfI6rfkuOjHjKG53YOV6AHufb1cASAnXaOtpEZ.pWP0"
	// sshdStart is how long sshd may take until it says that it listens.
	sshdStart = 2 * time.Minute
)

// SSHDOptions say how sshd differs from one with an Ed25519 host key, SFTP, and login by key and password.
type SSHDOptions struct {
	HostKeys []string // types of host keys: ed25519, ecdsa, rsa; empty: ed25519
	// HostCertificate has sshd show a certificate host_ed25519-cert.pub once its folder has one, after a restart.
	HostCertificate bool
	NoSFTP          bool     // no SFTP subsystem
	Config          []string // lines of sshd_config; a keyword among them replaces our line with it
	Shell           string   // the user's login shell; empty: /bin/sh. Has an effect only where there is a Password.

	// Setup is a shell script that root runs before each start, in sshd's own folder and where sshd is to run. What it changes
	// in /etc, of which it has a copy, and in /usr/local and /home, which are empty, is seen there alone, and so is what it
	// mounts. It needs Linux, root and the right to mount; elsewhere the test is skipped, or fails if CI=true.
	Setup string
}

// Sshd is a running sshd.
//
// As root on Linux it runs in mount and process namespaces of its own, where a user exists that the machine does not
// have: an ordinary one, with a password and a home folder of its own; and all that runs there ends with sshd. What is
// mounted after it has started may not be seen there. Elsewhere it lets in the current user, by key alone, into the real
// home folder.
type Sshd struct {
	Address    string // 127.0.0.1
	Port       int
	User       string
	Password   string // empty: there is none (see NeedPassword)
	Home       string // empty: the current user's own
	KeyFile    string // the user's private key
	KnownHosts string // a known_hosts file that has all of its host keys

	folder   string          // what belongs to it
	keys     string          // the authorized_keys file
	isolated bool            // it runs in namespaces of its own
	run      func() []string // the command, for the port, that stays in the foreground and logs to standard error
	sign     string          // in its log: it listens

	mu  sync.Mutex
	log *sshdLog // since the last start
	end func()   // kills it and waits
	pid int      // of the listening sshd
}

// SSHD starts OpenSSH's sshd on a free port of 127.0.0.1, and stops it at the end of the test. Its log is added to that
// of a test that fails.
func SSHD(t testing.TB, o SSHDOptions) *Sshd {
	t.Helper()
	program := Need(t, "sshd", "openssh-server")
	server := newSshd(t, o.Shell, o.Setup)
	server.sign = "Server listening on"
	server.keys = filepath.Join(server.folder, "authorized_keys")
	writeUserKey(t, server.KeyFile, server.keys)
	if len(o.HostKeys) == 0 {
		o.HostKeys = []string{"ed25519"}
	}
	public := writeHostKeys(t, server.folder, o.HostKeys)
	server.run = func() []string {
		if os.Getuid() == 0 && !server.isolated {
			_ = os.MkdirAll("/run/sshd", 0o755) // without it sshd does not start as root, and says so
		}
		return []string{program, "-D", "-e", "-f", filepath.Join(server.folder, "sshd_config")}
	}
	return server.listen(t, public, func() { writeSSHDConfig(t, server.folder, server, o) })
}

// newSshd returns an SSH server that does not run yet, with a folder and, where that is possible, a user of its own.
func newSshd(t testing.TB, shell, setup string) *Sshd {
	t.Helper()
	folder := sshdFolder(t)
	s := &Sshd{
		Address: "127.0.0.1", KeyFile: filepath.Join(folder, "id_ed25519"), folder: folder, isolated: canIsolate(),
	}
	if s.isolated {
		s.User, s.Password = sshdUser, sshdPassword
		s.Home = filepath.Join(folder, "home")
		writeAccounts(t, folder, s.Home, shell)
	} else {
		current, err := user.Current()
		if err != nil {
			t.Fatal(err)
		}
		s.User = current.Username
	}
	if setup != "" {
		s.NeedPassword(t)
		writeText(t, filepath.Join(folder, "setup"), setup, 0o600)
	}
	return s
}

// listen starts a server on a free port, for which prepare is called, and stops it at the end of the test.
func (s *Sshd) listen(t testing.TB, public []ssh.PublicKey, prepare func()) *Sshd {
	t.Helper()
	t.Cleanup(func() {
		s.stop()
		if t.Failed() {
			t.Logf("the log of the SSH server on port %d:\n%s", s.Port, s.Log())
		}
	})
	// Somebody else than a test may take the port before the server does.
	for range 5 {
		s.Port = reservePorts(t, 1)[0]
		prepare()
		listens, err := s.start()
		if err != nil {
			t.Fatal(err)
		}
		if listens {
			s.KnownHosts = writeKnownHosts(t, s.folder, s.Port, public)
			return s
		}
	}
	t.Fatalf("the SSH server does not start:\n%s", s.Log())
	return nil
}

// NeedPassword skips a test where sshd has no user with a password, or fails it if CI=true.
func (s *Sshd) NeedPassword(t testing.TB) {
	t.Helper()
	if s.Password != "" {
		return
	}
	const reason = "a user with a password needs Linux, root and the right to mount"
	if os.Getenv("CI") == "true" {
		t.Fatal(reason)
	}
	t.Skip(reason)
}

// Folder returns sshd's own folder; its processes have it on their command line.
func (s *Sshd) Folder() string { return s.folder }

// Restrict puts options before the user's key in authorized_keys, such as restrict or command="…", for logins to come.
func (s *Sshd) Restrict(t testing.TB, options string) {
	t.Helper()
	path := s.keys
	line, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, key, found := strings.Cut(string(line), "ssh-ed25519 ")
	if !found {
		t.Fatalf("%s holds %q", path, line)
	}
	writeText(t, path, strings.TrimSpace(options+" ssh-ed25519 "+key)+"\n", 0o644)
}

// sshdFolder creates the folder for all that sshd needs. The user in it must be able to reach it, which a test's own
// temporary folder does not allow.
func sshdFolder(t testing.TB) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "sshd")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(folder); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	return folder
}

// writeSSHDConfig writes sshd_config. A keyword of the options' own takes the place of ours: with most of them sshd would
// take the first anyhow, but not with all.
func writeSSHDConfig(t testing.TB, folder string, s *Sshd, o SSHDOptions) {
	t.Helper()
	password := "no"
	if s.Password != "" {
		password = "yes"
	}
	ours := []string{
		"ListenAddress " + s.Address,
		"Port " + strconv.Itoa(s.Port),
		"PidFile " + filepath.Join(folder, "sshd.pid"),
		"AuthorizedKeysFile " + filepath.Join(folder, "authorized_keys"),
		"PasswordAuthentication " + password,
		"KbdInteractiveAuthentication no",
		"UsePAM no",
		"StrictModes no",
		"PermitRootLogin yes",
		"UseDNS no",
		"PrintMotd no",
		"MaxStartups 500:30:1000",
		"LogLevel VERBOSE",
	}
	if !o.NoSFTP {
		ours = append(ours, "Subsystem sftp internal-sftp")
	}
	for _, kind := range o.HostKeys {
		ours = append(ours, "HostKey "+filepath.Join(folder, "host_"+kind))
	}
	if o.HostCertificate {
		ours = append(ours, "HostCertificate "+filepath.Join(folder, "host_ed25519-cert.pub"))
	}
	replaced := make(map[string]bool)
	for _, line := range o.Config {
		keyword, _, _ := strings.Cut(line, " ")
		replaced[strings.ToLower(keyword)] = true
	}
	ours = slices.DeleteFunc(ours, func(line string) bool {
		keyword, _, _ := strings.Cut(line, " ")
		return replaced[strings.ToLower(keyword)]
	})
	// The options' lines come last: a Match among them would hold for all that follows.
	writeText(t, filepath.Join(folder, "sshd_config"), strings.Join(append(ours, o.Config...), "\n")+"\n", 0o600)
}

// Restart ends sshd, with all that runs in its namespaces where it has some, and starts it again on its port, with the
// same keys and the same home. It may be called from any goroutine, by one at a time.
func (s *Sshd) Restart() error {
	s.stop()
	listens, err := s.start()
	if err == nil && !listens {
		return fmt.Errorf("sshd ended at once: %s", s.Log())
	}
	return err
}

// Stop kills sshd, with all that runs in its namespaces where it has some: every connection of it breaks. It may be called
// more than once.
func (s *Sshd) Stop() { s.stop() }

// start starts sshd and waits until it listens; false if it ended before.
func (s *Sshd) start() (listens bool, err error) {
	log, err := newSSHDLog(s.sign)
	if err != nil {
		return false, err
	}
	command := s.command()
	command.Stderr = log.writer
	started, ended := make(chan error), make(chan struct{})
	go func() {
		defer close(ended)
		// It dies with the thread that has started it, where it dies with this process. So that thread is kept: a goroutine of a
		// test may end one (see runtime.LockOSThread).
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := command.Start()
		started <- err
		if err == nil {
			_ = command.Wait()
		}
		log.close()
	}()
	if err := <-started; err != nil {
		<-ended
		return false, err
	}
	stop := func() {
		_ = command.Process.Kill()
		<-ended
	}
	s.mu.Lock()
	s.log, s.end, s.pid = log, stop, command.Process.Pid
	s.mu.Unlock()
	patience := time.NewTimer(sshdStart)
	defer patience.Stop()
	select {
	case <-log.listening:
		return true, nil
	case <-ended:
		return false, nil
	case <-patience.C:
		stop()
		return false, fmt.Errorf("sshd did not say within %s that it listens:\n%s", sshdStart, log)
	}
}

// stop kills sshd and waits until it has ended.
func (s *Sshd) stop() {
	s.mu.Lock()
	end := s.end
	s.mu.Unlock()
	if end != nil {
		end()
	}
}

// command is the server in the foreground, logging to its standard error.
func (s *Sshd) command() *exec.Cmd {
	words := s.run()
	if s.isolated {
		return isolate(s.folder, words[0], words[1:]...)
	}
	return exec.Command(words[0], words[1:]...)
}

func writeText(t testing.TB, path, content string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
}

// writeAccounts writes the files of accounts that sshd sees in place of the machine's.
func writeAccounts(t testing.TB, folder, home, shell string) {
	t.Helper()
	if shell == "" {
		shell = "/bin/sh"
	}
	nologin := "/usr/sbin/nologin"
	writeText(t, filepath.Join(folder, "passwd"), fmt.Sprintf(
		"root:x:0:0:root:/root:/bin/sh\nsshd:x:104:65534::/run/sshd:%s\nnobody:x:65534:65534::/nonexistent:%s\n"+
			"%s:x:%d:%d::%s:%s\n", nologin, nologin, sshdUser, sshdUID, sshdUID, home, shell), 0o644)
	writeText(t, filepath.Join(folder, "group"), fmt.Sprintf(
		"root:x:0:\nnogroup:x:65534:\n%s:x:%d:\n", sshdUser, sshdUID), 0o644)
	writeText(t, filepath.Join(folder, "shadow"), fmt.Sprintf(
		"root:*:19000:0:99999:7:::\nsshd:*:19000:0:99999:7:::\n%s:%s:19000:0:99999:7:::\n",
		sshdUser, sshdPasswordHash), 0o600)
	if err := os.Mkdir(home, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(home, sshdUID, sshdUID); err != nil {
		t.Fatal(err)
	}
}
