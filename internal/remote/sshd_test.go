package remote_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"muster/internal/failure"
	"muster/internal/remote"
	"muster/internal/testserver"
)

// sshdOptions dial a real sshd by key.
func sshdOptions(t testing.TB, s *testserver.Sshd) remote.Options {
	t.Helper()
	key, err := remote.LoadKey(s.KeyFile, "")
	if err != nil {
		t.Fatal(err)
	}
	keys, err := remote.LoadHostKeys(s.KnownHosts)
	if err != nil {
		t.Fatal(err)
	}
	return remote.Options{
		Host: "web1", Address: s.Address, Port: s.Port, User: s.User, Signers: []ssh.Signer{key}, HostKeys: keys,
		Deadlines: remote.Deadlines{Dial: deadline, Handshake: deadline, Authentication: deadline},
	}
}

// workspace creates a folder on the host that a test may fill.
func workspace(t *testing.T, s *testserver.Sshd, conn *remote.Conn) string {
	t.Helper()
	got, err := conn.Output(within(t), "mktemp -d", nil)
	if err != nil || got.Status != 0 {
		t.Fatalf("%s, %v", got.Stderr, err)
	}
	folder := strings.TrimSpace(string(got.Stdout))
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	return folder
}

func TestSSHDByKey(t *testing.T) {
	noLeak(t)
	server := testserver.SSHD(t, testserver.SSHDOptions{})
	conn := dial(t, sshdOptions(t, server))
	got, err := conn.Output(within(t), "cat; echo no >&2; id -un; exit 9", []byte("in\n"))
	if err != nil || got.Status != 9 || string(got.Stderr) != "no\n" || string(got.Stdout) != "in\n"+server.User+"\n" {
		t.Errorf("got %q, %q, %d, %v", got.Stdout, got.Stderr, got.Status, err)
	}
	large := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	if got, err = conn.Output(within(t), "cat | wc -c", large); err != nil || strings.TrimSpace(string(got.Stdout)) != "1048576" {
		t.Errorf("got %q, %v", got.Stdout, err)
	}
	_, err = conn.Output(within(t), "kill -KILL $$", nil)
	var signal *remote.SignalError
	if !errors.As(err, &signal) || signal.Signal != "KILL" {
		t.Errorf("got %v", err)
	}
	server.AwaitLog(t, "Accepted publickey for "+server.User)
}

func TestSSHDByPassword(t *testing.T) {
	noLeak(t)
	server := testserver.SSHD(t, testserver.SSHDOptions{})
	server.NeedPassword(t)
	o := sshdOptions(t, server)
	o.Signers, o.Password = nil, server.Password
	dial(t, o)

	o.Password = "wrong"
	_, err := remote.Dial(within(t), o)
	want{failure.Authentication, failure.LoginFailed,
		[]string{server.User, `"publickey" "password"`}, []string{"password", "sshd log"}}.check(t, err)
	if got := strings.Count(server.AwaitLog(t, "Failed password"), "Failed password"); got != 1 {
		t.Errorf("the wrong password was sent %d times", got)
	}
}

func TestSSHDRejectsAKey(t *testing.T) {
	noLeak(t)
	server := testserver.SSHD(t, testserver.SSHDOptions{Config: []string{"PasswordAuthentication no"}})
	o := sshdOptions(t, server)
	o.Signers = []ssh.Signer{newKey(t)}
	_, err := remote.Dial(within(t), o)
	want{failure.Authentication, failure.LoginFailed,
		[]string{ssh.FingerprintSHA256(o.Signers[0].PublicKey()), `allows: "publickey"`}, []string{"authorized_keys"}}.check(t, err)

	// More keys than the host wants to see: it breaks off, with its own words for it.
	for range 10 {
		o.Signers = append(o.Signers, newKey(t))
	}
	_, err = remote.Dial(within(t), o)
	want{failure.Authentication, failure.LoginFailed, []string{"Too many authentication failures"}, []string{"MaxAuthTries"}}.check(t, err)
}

func TestSSHDWithSeveralHostKeys(t *testing.T) {
	noLeak(t)
	server := testserver.SSHD(t, testserver.SSHDOptions{HostKeys: []string{"rsa", "ecdsa", "ed25519"}})
	all, err := os.ReadFile(server.KnownHosts)
	if err != nil {
		t.Fatal(err)
	}
	for known := range strings.Lines(string(all)) {
		t.Run(strings.Fields(known)[1], func(t *testing.T) {
			o := sshdOptions(t, server)
			o.HostKeys = knownHosts(t, known)
			dial(t, o)
		})
	}
}

// TestSSHDKnownByTheToolsOfOpenSSH reads what ssh-keyscan writes, also hashed as Debian does.
func TestSSHDKnownByTheToolsOfOpenSSH(t *testing.T) {
	noLeak(t)
	scan := testserver.Need(t, "ssh-keyscan", "openssh-client")
	hash := testserver.Need(t, "ssh-keygen", "openssh-client")
	server := testserver.SSHD(t, testserver.SSHDOptions{HostKeys: []string{"ed25519", "ecdsa"}})
	o := sshdOptions(t, server)
	var file string
	o.HostKeys, file = knownHostsFile(t, "")
	_, err := remote.Dial(within(t), o)
	want{failure.Handshake, failure.HostKeyUnknown, nil, []string{"muster trust web1"}}.check(t, err)
	scanned, err := exec.CommandContext(within(t), scan, "-p", strconv.Itoa(server.Port), server.Address).Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, scanned, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, form := range []string{"as scanned", "hashed"} {
		if form == "hashed" {
			if output, err := exec.CommandContext(within(t), hash, "-H", "-f", file).CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, output)
			}
		}
		if o.HostKeys, err = remote.LoadHostKeys(file); err != nil {
			t.Fatal(err)
		}
		conn, err := remote.Dial(within(t), o)
		if err != nil {
			t.Fatalf("%s: %v", form, err)
		}
		_ = conn.Close()
	}
}

func TestSSHDThatIsBusy(t *testing.T) {
	noLeak(t)
	server := testserver.SSHD(t, testserver.SSHDOptions{Config: []string{"MaxStartups 1", "LoginGraceTime 60"}})
	waiting, err := net.Dial("tcp", net.JoinHostPort(server.Address, strconv.Itoa(server.Port)))
	if err != nil {
		t.Fatal(err)
	}
	defer waiting.Close()
	if _, err := waiting.Read(make([]byte, 1)); err != nil { // sshd counts it from here on
		t.Fatal(err)
	}
	_, err = remote.Dial(within(t), sshdOptions(t, server))
	want{failure.Handshake, failure.Disconnected, nil, []string{"MaxStartups"}}.check(t, err)
}

func TestSSHDFiles(t *testing.T) {
	noLeak(t)
	server := testserver.SSHD(t, testserver.SSHDOptions{})
	conn := dial(t, sshdOptions(t, server))
	folder := workspace(t, server, conn)
	files, err := conn.Files(within(t))
	if err != nil {
		t.Fatal(err)
	}
	if home, err := files.RealPath(within(t), "."); err != nil || (server.Home != "" && home != server.Home) {
		t.Errorf("got %q, %v; want %q", home, err, server.Home)
	}
	if err := files.Mkdir(within(t), folder+"/a/b"); err != nil {
		t.Fatal(err)
	}
	content := bytes.Repeat([]byte("0123456789abcdef"), 1<<18)
	name := folder + "/a/b/client"
	if err := files.Upload(within(t), name, bytes.NewReader(content), int64(len(content)), 0o700); err != nil {
		t.Fatal(err)
	}
	if info, err := files.Stat(within(t), name); err != nil || info.Mode().Perm() != 0o700 || info.Size() != int64(len(content)) {
		t.Errorf("got %v, %v", info, err)
	}
	if got, err := files.Download(within(t), name, int64(len(content))); err != nil || !bytes.Equal(got, content) {
		t.Errorf("%d bytes came back, %v", len(got), err)
	}
	err = files.Upload(within(t), name, strings.NewReader("x"), 1, 0o700)
	if want := (want{kind: failure.FileFailed}); !errors.Is(want.check(t, err), fs.ErrExist) {
		t.Errorf("%v is not fs.ErrExist", err)
	}
	if err := files.Upload(within(t), folder+"/old", strings.NewReader("old"), 3, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := files.Rename(within(t), name, folder+"/old"); err != nil {
		t.Fatal(err)
	}
	if info, err := files.Stat(within(t), folder+"/old"); err != nil || info.Size() != int64(len(content)) {
		t.Errorf("the old file was not replaced: %v, %v", info, err)
	}
	if err := files.Remove(within(t), folder+"/old"); err != nil {
		t.Error(err)
	}
	if got := names(t, files, folder); len(got) != 1 || got[0] != "a" {
		t.Errorf("got %v", got)
	}
	_, err = files.Stat(within(t), folder+"/old")
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v is not fs.ErrNotExist", err)
	}
}

func TestSSHDFilesWithoutPermission(t *testing.T) {
	noLeak(t)
	server := testserver.SSHD(t, testserver.SSHDOptions{})
	if server.User == "root" {
		server.NeedPassword(t) // as root nothing is forbidden
	}
	conn := dial(t, sshdOptions(t, server))
	files, err := conn.Files(within(t))
	if err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"Upload": files.Upload(within(t), "/muster", strings.NewReader("x"), 1, 0o700),
		"Mkdir":  files.Mkdir(within(t), "/muster/client"),
		"Rename": files.Rename(within(t), "/etc/passwd", "/etc/muster"),
		"Remove": files.Remove(within(t), "/etc/passwd"),
	} {
		t.Run(name, func(t *testing.T) {
			if found := (want{kind: failure.PermissionDenied}).check(t, err); !errors.Is(found, fs.ErrPermission) {
				t.Errorf("%v is not fs.ErrPermission", err)
			}
		})
	}
	_, err = files.Download(within(t), "/etc/shadow", 1<<20)
	want{kind: failure.PermissionDenied}.check(t, err)
}

// TestSSHDWithAFullDisk uploads to a file system of its own with a megabyte of room.
func TestSSHDWithAFullDisk(t *testing.T) {
	noLeak(t)
	if runtime.GOOS != "linux" || os.Getuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("a small file system needs Linux and root")
		}
		t.Skip("a small file system needs Linux and root")
	}
	folder, err := os.MkdirTemp("", "full")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(folder) })
	if output, err := exec.CommandContext(within(t), "mount", "-t", "tmpfs", "-o", "size=1m,mode=777,nr_inodes=8", "tmpfs",
		folder).CombinedOutput(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%v: %s", err, output)
		}
		t.Skipf("mounting is not allowed here: %s", output)
	}
	t.Cleanup(func() {
		if output, err := exec.CommandContext(context.Background(), "umount", folder).CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, output)
		}
	})
	server := testserver.SSHD(t, testserver.SSHDOptions{}) // after the mount, so that it sees it
	conn := dial(t, sshdOptions(t, server))
	files, err := conn.Files(within(t))
	if err != nil {
		t.Fatal(err)
	}
	const size = 3 << 20
	err = files.Upload(within(t), folder+"/client", bytes.NewReader(make([]byte, size)), size, 0o700)
	want{kind: failure.DiskFull, says: []string{"no space"}, advice: []string{"make room"}}.check(t, err)
	if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
		t.Errorf("%v is left, %v", left, err)
	}
	// No inode is left, though blocks are.
	err = nil
	for i := 0; err == nil; i++ {
		err = os.WriteFile(filepath.Join(folder, strconv.Itoa(i)), nil, 0o600)
	}
	err = files.Upload(within(t), folder+"/client", strings.NewReader("x"), 1, 0o700)
	want{kind: failure.DiskFull}.check(t, err)
	want{kind: failure.DiskFull}.check(t, files.Mkdir(within(t), folder+"/a"))
}

func TestSSHDWithoutSFTP(t *testing.T) {
	noLeak(t)
	conn := dial(t, sshdOptions(t, testserver.SSHD(t, testserver.SSHDOptions{NoSFTP: true})))
	_, err := conn.Files(within(t))
	want{kind: failure.NoSFTP, advice: []string{"sshd_config"}}.check(t, err)
}

func TestSSHDThatRunsNoCommands(t *testing.T) {
	noLeak(t)
	t.Run("no sessions", func(t *testing.T) {
		conn := dial(t, sshdOptions(t, testserver.SSHD(t, testserver.SSHDOptions{Config: []string{"MaxSessions 0"}})))
		_, err := conn.Output(within(t), "true", nil)
		want{kind: failure.NoShell, advice: []string{"MaxSessions"}}.check(t, err)
	})
	t.Run("files only", func(t *testing.T) { // a forced command takes the place of ours, and SFTP works
		conn := dial(t, sshdOptions(t, testserver.SSHD(t, testserver.SSHDOptions{Config: []string{"ForceCommand internal-sftp"}})))
		if got, err := conn.Output(within(t), "uname", nil); err != nil || got.Status == 0 {
			t.Errorf("got %q, %d, %v", got.Stdout, got.Status, err)
		}
		if _, err := conn.Files(within(t)); err != nil {
			t.Error(err)
		}
	})
	t.Run("nologin", func(t *testing.T) {
		server := testserver.SSHD(t, testserver.SSHDOptions{Shell: "/usr/sbin/nologin"})
		server.NeedPassword(t)
		conn := dial(t, sshdOptions(t, server))
		if got, err := conn.Output(within(t), "uname", nil); err != nil || got.Status == 0 {
			t.Errorf("got %q, %d, %v", got.Stdout, got.Status, err)
		}
	})
}

// TestSSHDDoesNotWaitForWhatACommandLeavesBehind has a command whose child holds its output open.
func TestSSHDDoesNotWaitForWhatACommandLeavesBehind(t *testing.T) {
	noLeak(t)
	conn := dial(t, sshdOptions(t, testserver.SSHD(t, testserver.SSHDOptions{})))
	started := time.Now()
	got, err := conn.Output(within(t), "sleep 60 & echo $!; exit 3", nil)
	if err != nil || got.Status != 3 {
		t.Errorf("got %d, %v", got.Status, err)
	}
	if took := time.Since(started); took > deadline/2 {
		t.Errorf("it took %s", took)
	}
	_, _ = conn.Output(within(t), "kill "+string(got.Stdout), nil)
}

// TestSSHDStopsACommandWithItsConnection has a command that reads its input until it ends.
func TestSSHDStopsACommandWithItsConnection(t *testing.T) {
	noLeak(t)
	server := testserver.SSHD(t, testserver.SSHDOptions{})
	conn := dial(t, sshdOptions(t, server))
	folder := workspace(t, server, conn)
	ctx, cancel := context.WithCancel(within(t))
	defer cancel()
	process, err := conn.Start(ctx, "echo ready; cat; echo ended > "+folder+"/ended")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(process.Stdout, make([]byte, 6)); err != nil {
		t.Fatal(err)
	}
	cancel()
	_, err = process.Wait()
	want{kind: failure.Cancelled}.check(t, err)
	for end := time.Now().Add(deadline); ; {
		if _, err := os.Stat(filepath.Join(folder, "ended")); err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatal("the command does not end")
		}
	}
}
