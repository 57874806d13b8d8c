package wintest_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"muster/internal/sshtest"
	"muster/internal/testserver"
)

const (
	// homeName is the name of the user's folder, as unhandy as such names are.
	homeName = "Jörg Müller"
	password = "Grüße, Welt 7"
)

// windows is a Windows under Wine that the tests share, with what makes it a host: winsshd, and its stand-ins.
type windows struct {
	*testserver.WinePrefix
	winsshd string
}

func newWindows(t *testing.T) *windows {
	t.Helper()
	begin := time.Now()
	w := &windows{WinePrefix: testserver.Wine(t)}
	t.Log("prefix", time.Since(begin))
	w.winsshd = w.Build(t, "muster/internal/wintest/winsshd")
	t.Log("build", time.Since(begin))
	w.Install(t, "windows/system32/WindowsPowerShell/v1.0/powershell.exe", w.winsshd)
	w.Install(t, "windows/system32/certutil.exe", w.winsshd)
	return w
}

// host is a Windows host that can be visited.
type host struct {
	*windows
	Port       int
	User       string
	KeyFile    string
	KnownHosts string
	Home       string // on this machine
	Log        *testserver.Buffer
}

// newHost starts a host with a home folder of its own. The arguments are those of winsshd.
func (w *windows) newHost(t *testing.T, arguments ...string) *host {
	t.Helper()
	folder := t.TempDir()
	h := &host{
		windows: w, User: "jörg", Log: new(testserver.Buffer),
		KeyFile: filepath.Join(folder, "id_ed25519"), KnownHosts: filepath.Join(folder, "known_hosts"),
	}
	parent, err := os.MkdirTemp(filepath.Join(w.Drive, "users"), "")
	if err != nil {
		t.Fatal(err)
	}
	h.Home = filepath.Join(parent, homeName)
	if err := os.Mkdir(h.Home, 0o700); err != nil {
		t.Fatal(err)
	}
	authorized := testserver.UserKey(t, h.KeyFile)
	arguments = append([]string{
		"-home", `C:\users\` + filepath.Base(parent) + `\` + homeName, "-password", password, "-key", "Z:" + authorized,
	}, arguments...)
	address, line := h.start(t, arguments)
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	if h.Port, err = strconv.Atoi(port); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(h.KnownHosts, []byte(line+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return h
}

// start starts winsshd, which the end of its input ends, and returns the two lines that it prints.
func (h *host) start(t *testing.T, arguments []string) (address, knownHosts string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	command := h.Command(ctx, h.winsshd, arguments...)
	stdin, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	command.Stderr = h.Log
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		begin := time.Now()
		stdin.Close()
		_ = command.Wait()
		cancel()
		if t.Failed() {
			t.Logf("winsshd: %s", h.Log)
		}
		t.Log("cleanup", time.Since(begin))
	})
	defer func(b time.Time) { t.Log("start", time.Since(b)) }(time.Now())
	lines := bufio.NewReader(stdout)
	for _, line := range []*string{&address, &knownHosts} {
		if *line, err = lines.ReadString('\n'); err != nil {
			t.Fatalf("winsshd does not start: %v\n%s", err, h.Log)
		}
		*line = strings.TrimSpace(*line)
	}
	return address, knownHosts
}

// clients returns the files in the folder where a client lives by default.
func (h *host) files(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(h.place())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// place is the folder where a client lives by default.
func (h *host) place() string { return filepath.Join(h.Home, "AppData/Local/muster") }

var _ = fmt.Sprint
var _ = sshtest.New
