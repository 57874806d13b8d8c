package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"muster/internal/testserver"
)

// unit is the unit file of the project.
const unit = "../../packaging/systemd/muster.service"

// TestUnitIsSound has systemd read the unit and judge its hardening.
func TestUnitIsSound(t *testing.T) {
	analyze := testserver.Need(t, "systemd-analyze", "systemd")
	text, err := os.ReadFile(unit)
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.Executable() // systemd looks whether the program is there
	if err != nil {
		t.Fatal(err)
	}
	p := newPlace(t)
	file := p.write("muster.service", strings.ReplaceAll(string(text), "/usr/local/bin/muster", program))
	if output, err := exec.CommandContext(t.Context(), analyze, "verify", "--man=no", file).CombinedOutput(); err != nil || len(output) > 0 {
		t.Errorf("systemd-analyze verify: %v\n%s", err, output)
	}
	output, err := exec.CommandContext(t.Context(), analyze, "security", "--offline=true", "--no-pager", "--threshold=15", file).CombinedOutput()
	if err != nil {
		t.Errorf("systemd-analyze security: %v\n%s", err, output)
	}
}

// TestUnitLeavesTimeToStop compares the unit with what the program takes.
func TestUnitLeavesTimeToStop(t *testing.T) {
	text, err := os.ReadFile(unit)
	if err != nil {
		t.Fatal(err)
	}
	match := regexp.MustCompile(`(?m)^TimeoutStopSec=(\d+)s$`).FindSubmatch(text)
	if match == nil || string(match[1]) < "45" {
		t.Errorf("TimeoutStopSec: %s", match)
	}
}

// manager is a socket on which a server tells systemd how it does.
type manager struct {
	t    *testing.T
	conn *net.UnixConn
	name string
}

func newManager(t *testing.T) *manager {
	t.Helper()
	folder, err := os.MkdirTemp("", "sd-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	m := &manager{t: t, name: filepath.Join(folder, "notify")}
	if m.conn, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: m.name, Net: "unixgram"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.conn.Close() })
	return m
}

// waitFor reads what is told until a line is one of those wanted, and returns that datagram.
func (m *manager) waitFor(wanted ...string) string {
	m.t.Helper()
	if err := m.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		m.t.Fatal(err)
	}
	buffer := make([]byte, 4096)
	for {
		n, err := m.conn.Read(buffer)
		if err != nil {
			m.t.Fatalf("never told: %s: %v", wanted, err)
		}
		told := string(buffer[:n])
		for line := range strings.SplitSeq(told, "\n") {
			for _, want := range wanted {
				if strings.HasPrefix(line, want) {
					return told
				}
			}
		}
	}
}

// TestSystemdIsTold reads what the real process tells, from its start over reloads to its end.
func TestSystemdIsTold(t *testing.T) {
	f := newFleet(t, "")
	f.configureServe(fmt.Sprintf(`<host name="one" address="%s" port="%d"/>`, f.sshd.Address, f.sshd.Port))
	m := newManager(t)
	s := f.serve(t, "NOTIFY_SOCKET="+m.name, "WATCHDOG_USEC=400000")
	if told := m.waitFor("READY=1"); !strings.Contains(told, "STATUS=1 hosts") || !strings.Contains(told, "next sweep") {
		t.Errorf("told %q", told)
	}
	for range 3 {
		m.waitFor("WATCHDOG=1")
	}
	for told := ""; !strings.Contains(told, "1 reported, 0 failed"); {
		told = m.waitFor("STATUS=")
	}

	good, err := os.ReadFile(f.path("muster.xml"))
	if err != nil {
		t.Fatal(err)
	}
	f.write("muster.xml", strings.Replace(string(good), "<server ", "<sever ", 1))
	s.hangUp(t)
	if told := m.waitFor("RELOADING=1"); !regexp.MustCompile(`(?m)^MONOTONIC_USEC=\d+$`).MatchString(told) && runtime.GOOS == "linux" {
		t.Errorf("told %q", told)
	}
	if told := m.waitFor("READY=1"); !strings.Contains(told, "refused") || !strings.Contains(told, "sever") {
		t.Errorf("told %q of a configuration with a mistake", told)
	}
	f.write("muster.xml", string(good))
	s.hangUp(t)
	m.waitFor("RELOADING=1")
	if told := m.waitFor("READY=1"); strings.Contains(told, "refused") {
		t.Errorf("told %q", told)
	}
	if status := s.stop(t); status != 0 {
		t.Errorf("status %d", status)
	}
	m.waitFor("STOPPING=1")
}

// TestServiceIsInstalled runs the commands of docs/service.md in a root of its own, but for systemctl and the host's name,
// and then the server, as the user and with the owners and modes that it has there.
func TestServiceIsInstalled(t *testing.T) {
	testserver.NeedRoot(t, "an installation")
	unshare := testserver.Need(t, "unshare", "util-linux")
	testserver.Need(t, "runuser", "util-linux")
	testserver.Need(t, "useradd", "passwd")
	testserver.Need(t, "ssh-keyscan", "openssh-client")
	sshd := testserver.SSHD(t, testserver.SSHDOptions{})
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	project, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	const file = "docs/service.md"
	commands := strings.Join(blocks(t, file, "sh"), "\n")
	commands = strings.NewReplacer(
		"bin/muster /usr", program+" /usr",
		"ssh-keyscan web1.example.org", fmt.Sprintf("ssh-keyscan -p %d %s", sshd.Port, sshd.Address),
		"runuser -u muster -- muster run", `authorise; configure; chown root:muster /etc/muster/muster.xml; chmod 0640 /etc/muster/muster.xml; `+
			`runuser -u muster -- env PATH=/usr/local/bin:/usr/bin:/bin muster run`,
	).Replace(commands)
	commands = strings.Replace(commands, "chown root:muster /etc/muster/muster.xml\nchmod 0640 /etc/muster/muster.xml\n", "", 1)
	configuration := strings.NewReplacer(
		`user="monitor"`, fmt.Sprintf(`user="%s"`, sshd.User),
		`address="web1.example.org"`, fmt.Sprintf(`address="%s" port="%d"`, sshd.Address, sshd.Port),
	).Replace(blocks(t, file, "xml")[0])
	root := t.TempDir()
	// The folders above a test's own are its user's alone.
	for folder := root; folder != os.TempDir() && folder != "/"; folder = filepath.Dir(folder) {
		if err := os.Chmod(folder, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	script := filepath.Join(root, "install")
	text := fmt.Sprintf(`set -eu
mount --make-rprivate /
cp -a /etc %[1]s/etc
mkdir %[1]s/local %[1]s/lib %[1]s/log
mount --bind %[1]s/etc /etc
mount --bind %[1]s/local /usr/local
mkdir -p /usr/local/bin /etc/systemd/system
mount --bind %[1]s/lib /var/lib
mount --bind %[1]s/log /var/log
systemctl() { echo "systemctl $*"; }
authorise() { cat /etc/muster/id_ed25519.pub >> %[2]s; }
configure() { cat > /etc/muster/muster.xml <<'END'
%[3]sEND
}
cd %[4]s
%[5]s
ls -ld /etc/muster /etc/muster/* /var/lib/muster
`, root, filepath.Join(filepath.Dir(sshd.KeyFile), "authorized_keys"), configuration, project, commands)
	if err := os.WriteFile(script, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var output bytes.Buffer
	command := exec.CommandContext(t.Context(), unshare, "--mount", "sh", script)
	command.Stdout, command.Stderr = &output, &output
	if err := command.Run(); err != nil {
		t.Fatalf("%v\n%s", err, output.String())
	}
	for _, want := range []string{
		"1 host visited", "1 reported, 0 failed",
		"systemctl daemon-reload\n", "systemctl enable --now muster.service\n",
		"drwxr-x--- 2 root   muster", "-rw-r----- 1 root muster",
	} {
		if !regexp.MustCompile(strings.ReplaceAll(regexp.QuoteMeta(want), " ", ` +`)).MatchString(output.String()) {
			t.Errorf("there is no %q in\n%s", want, output.String())
		}
	}
}
