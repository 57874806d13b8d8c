package testserver

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

// sftpServer is OpenSSH's SFTP server, which is a program of its own, where Debian has it.
const sftpServer = "/usr/lib/openssh/sftp-server"

// SmallOptions say how a small SSH server differs from one without SFTP.
type SmallOptions struct {
	SFTP  bool   // it has OpenSSH's SFTP server
	Shell string // the user's login shell; empty: /bin/sh
	Setup string // as in SSHDOptions
}

// Dropbear starts Dropbear, the SSH server of routers, initramfs images and small devices, as SSHD starts OpenSSH's. Its user
// is always one of its own: elsewhere the test is skipped, or fails if CI=true.
func Dropbear(t testing.TB, o SmallOptions) *Sshd {
	t.Helper()
	program, keygen := Need(t, "dropbear", "dropbear-bin"), Need(t, "dropbearkey", "dropbear-bin")
	if o.SFTP {
		Need(t, sftpServer, "openssh-sftp-server")
	} else {
		// Dropbear has the path built in: there is to be nothing that could run.
		o.Setup = "[ ! -e " + sftpServer + " ] || mount --bind /dev/null " + sftpServer + "\n" + o.Setup
	}
	s := newSshd(t, o.Shell, o.Setup)
	s.authorizeAtHome(t)
	hostKey := filepath.Join(s.folder, "dropbear_key")
	public := generate(t, keygen, "-t", "ed25519", "-f", hostKey)
	s.sign = "Not backgrounding"
	s.run = func() []string {
		return []string{
			program, "-F", "-E", "-m", "-r", hostKey, "-P", filepath.Join(s.folder, "pid"), "-p", s.Address + ":" + strconv.Itoa(s.Port),
		}
	}
	return s.listen(t, public, func() {})
}

// TinySSHD starts TinySSH, which has Ed25519 keys alone and no passwords, and is run for each connection, here by socat.
// Its user is always one of its own: elsewhere the test is skipped, or fails if CI=true.
func TinySSHD(t testing.TB, o SmallOptions) *Sshd {
	t.Helper()
	program, keygen := Need(t, "tinysshd", "tinysshd"), Need(t, "tinysshd-makekey", "tinysshd")
	socat := Need(t, "socat", "socat")
	// Its rules for the folders above a home are those of sshd's StrictModes, which /tmp breaks.
	const home = "/home/" + sshdUser
	s := newSshd(t, o.Shell, "sed -i \"s|$PWD/home|"+home+"|\" /etc/passwd; cp -a home "+home+"\n"+o.Setup)
	s.authorizeAtHome(t)
	s.Home = filepath.Join(s.folder, "machine", home)
	keys := filepath.Join(s.folder, "tinysshd")
	generate(t, keygen, keys)
	raw, err := os.ReadFile(filepath.Join(keys, "ed25519.pk"))
	if err != nil {
		t.Fatal(err)
	}
	blob := ssh.Marshal(struct{ Kind, Key string }{ssh.KeyAlgoED25519, string(raw)}) // RFC 8709, section 4
	public, err := ssh.ParsePublicKey(blob)
	if err != nil {
		t.Fatal(err)
	}
	command := program + " -v "
	if o.SFTP {
		command += "-x sftp=" + Need(t, sftpServer, "openssh-sftp-server") + " "
	}
	s.sign = "listening on"
	s.run = func() []string {
		return []string{
			socat, "-d", "-d", "TCP-LISTEN:" + strconv.Itoa(s.Port) + ",bind=" + s.Address + ",reuseaddr,fork", "EXEC:" + command + keys + ",nofork",
		}
	}
	return s.listen(t, []ssh.PublicKey{public}, func() {})
}

// authorizeAtHome puts the user's key where servers look for it that do not let that be configured.
func (s *Sshd) authorizeAtHome(t testing.TB) {
	t.Helper()
	s.NeedPassword(t)
	folder := filepath.Join(s.Home, ".ssh")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	s.keys = filepath.Join(folder, "authorized_keys")
	writeUserKey(t, s.KeyFile, s.keys)
	for _, path := range []string{folder, s.keys} {
		if err := os.Chown(path, sshdUID, sshdUID); err != nil {
			t.Fatal(err)
		}
	}
}

// generate runs a program that makes a host key, and returns the public keys that it prints.
func generate(t testing.TB, program string, arguments ...string) []ssh.PublicKey {
	t.Helper()
	output, err := exec.Command(program, arguments...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", program, err, output)
	}
	var keys []ssh.PublicKey
	for line := range strings.Lines(string(output)) {
		if key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line)); err == nil {
			keys = append(keys, key)
		}
	}
	return keys
}
