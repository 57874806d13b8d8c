package wintest_test

import (
	"bufio"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"muster/internal/remote"
	"muster/internal/testserver"
	"muster/internal/visit"
)

// TestWindows is everything that is tested under Wine: the parts share one Windows and the server on it.
func TestWindows(t *testing.T) {
	w := newWindows(t)
	for _, part := range []struct {
		name string
		test func(*testing.T, *windows)
	}{
		{"Visits", testVisits},
		{"Statistics", testStatistics},
		{"Run", testRun},
		{"Elsewhere", testElsewhere},
		{"Quarantine", testQuarantine},
		{"ARunningProgram", testARunningProgram},
		{"AdviceOnKeys", testAdviceOnKeys},
		{"TestsOfTheClient", testTestsOfTheClient},
		{"EventLog", testEventLog},
		{"Records", testRecords},
		{"Access", testAccess},
	} {
		t.Run(part.name, func(t *testing.T) { part.test(t, w) })
	}
}

const password = "Grüße, Welt 7"

// windows is a Windows under Wine with a server on it that is like OpenSSH for Windows.
type windows struct {
	*testserver.WinePrefix
	logs       *eventLogs
	port       int
	keyFile    string
	knownHosts string
}

func newWindows(t *testing.T) *windows {
	t.Helper()
	folder := t.TempDir()
	w := &windows{
		WinePrefix: testserver.Wine(t),
		keyFile:    filepath.Join(folder, "id_ed25519"), knownHosts: filepath.Join(folder, "known_hosts"),
	}
	w.logs = installEventLog(t, w.WinePrefix)
	winsshd := w.Build(t, "muster/internal/wintest/winsshd")
	w.Install(t, "windows/system32/WindowsPowerShell/v1.0/powershell.exe", winsshd)
	w.Install(t, "windows/system32/certutil.exe", winsshd)
	authorized := testserver.UserKey(t, w.keyFile)
	address, line := w.start(t, winsshd, "-password", password, "-key", "Z:"+authorized)
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	if w.port, err = strconv.Atoi(port); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(w.knownHosts, []byte(line+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return w
}

// start starts winsshd, which the end of its input ends, and returns the two lines that it prints.
func (w *windows) start(t *testing.T, program string, arguments ...string) (address, knownHosts string) {
	t.Helper()
	log, err := os.Create(filepath.Join(t.TempDir(), "winsshd.log"))
	if err != nil {
		t.Fatal(err)
	}
	command := w.Command(t.Context(), program, arguments...)
	command.Stderr = log
	stdin, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		_ = command.Wait()
		log.Close()
		if text, err := os.ReadFile(log.Name()); err == nil && t.Failed() {
			t.Logf("winsshd: %s", text)
		}
	})
	lines := bufio.NewReader(stdout)
	for _, line := range []*string{&address, &knownHosts} {
		if *line, err = lines.ReadString('\n'); err != nil {
			t.Fatalf("winsshd does not start: %v", err)
		}
		*line = strings.TrimSpace(*line)
	}
	return address, knownHosts
}

// host is the server for one user, who has a home of this name alone.
type host struct {
	*windows
	user string
	home string // on this machine
}

// newHost makes a home, whose name is as unhandy as names are. The words say how the host is for its user: see winsshd.
func (w *windows) newHost(t *testing.T, words ...string) *host {
	t.Helper()
	home, err := os.MkdirTemp(filepath.Join(w.Drive, "users"), "Jörg Müller ")
	if err != nil {
		t.Fatal(err)
	}
	return &host{windows: w, user: strings.Join(append([]string{filepath.Base(home)}, words...), "+"), home: home}
}

// place is the folder where a client lives by default.
func (h *host) place() string { return filepath.Join(h.home, "AppData/Local/muster") }

// files returns the names of what is in the client's folder.
func (h *host) files(t *testing.T, folder string) []string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// wantTheClientAlone checks that nothing is in a folder but the client, and returns its name.
func (h *host) wantTheClientAlone(t *testing.T, folder string) string {
	t.Helper()
	names := h.files(t, folder)
	if len(names) != 1 || !strings.HasPrefix(names[0], "muster-client-") {
		t.Fatalf("the client's folder holds %q", names)
	}
	return names[0]
}

// visited returns the host as a visit has it, with deadlines that no test should reach.
func (h *host) visited(t *testing.T) visit.Host {
	t.Helper()
	o := h.options(t)
	const d = time.Minute
	return visit.Host{
		Name: "win1", Address: o.Address, Port: o.Port, User: o.User, Signers: o.Signers, HostKeys: o.HostKeys,
		Transfer: visit.Stdout,
		Deadlines: visit.Deadlines{
			Dial: d, Handshake: d, Authentication: d, Platform: d, Deploy: d, Run: d, Receive: d, Visit: 2 * d,
		},
	}
}

// options dial the host.
func (h *host) options(t *testing.T) remote.Options {
	t.Helper()
	key, err := remote.LoadKey(h.keyFile, "")
	if err != nil {
		t.Fatal(err)
	}
	known, err := remote.LoadHostKeys(h.knownHosts)
	if err != nil {
		t.Fatal(err)
	}
	return remote.Options{
		Host: "win1", Address: "127.0.0.1", Port: h.port, User: h.user, Signers: []ssh.Signer{key}, HostKeys: known,
	}
}

func (h *host) dial(t *testing.T) *remote.Conn {
	t.Helper()
	conn, err := remote.Dial(t.Context(), h.options(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// openFiles returns SFTP on a connection.
func openFiles(t *testing.T, conn *remote.Conn) *remote.Files {
	t.Helper()
	files, err := conn.Files(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// eventually waits until something is so. The host is a foreign process, which gives no sign.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for limit := time.Now().Add(time.Minute); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("it is never so that %s", what)
		}
	}
}

// sources returns the names of the sources that failed.
func sources(v *visit.Visit) []string {
	var names []string
	for _, f := range v.Report.Failures {
		names = append(names, f.Source)
	}
	slices.Sort(names)
	return names
}
