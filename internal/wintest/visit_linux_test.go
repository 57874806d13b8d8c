package wintest_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"muster/internal/deploy"
	"muster/internal/deploy/deploytest"
	"muster/internal/failure"
	"muster/internal/remote"
	"muster/internal/sshtest"
	"muster/internal/visit"
)

var (
	sweep     = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	windows64 = deploy.Platform{OS: "windows", Arch: "amd64"}
)

// embedded are the clients that are built into the server.
func embedded(t *testing.T) *deploy.Clients {
	t.Helper()
	clients, err := deploy.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	return clients
}

func newVisitor(t *testing.T) *visit.Visitor {
	t.Helper()
	return visit.New(visit.Options{Clients: embedded(t)})
}

func wantReport(t *testing.T, v *visit.Visit) {
	t.Helper()
	if v.Failure != nil {
		t.Fatalf("%v\nadvice: %s\nlog: %s", v.Failure, v.Failure.Help(), v.Log)
	}
}

func wantFailure(t *testing.T, v *visit.Visit, stage failure.Stage, kind failure.Kind, words ...string) {
	t.Helper()
	if v.Failure == nil || v.Failure.Stage != stage || v.Failure.Kind != kind {
		t.Fatalf("got %v, want %s at %s\nlog: %s", v.Failure, kind, stage, v.Log)
	}
	for _, word := range words {
		if text := v.Failure.Error() + " " + v.Failure.Help(); !strings.Contains(text, word) {
			t.Errorf("%q does not say %q", text, word)
		}
	}
}

func stages(v *visit.Visit) string {
	var names []string
	for _, timing := range v.Stages {
		names = append(names, string(timing.Stage))
	}
	return strings.Join(names, " ")
}

// testVisits visits twice in every way: the first visit uploads the client, the second finds it. Then somebody else does who
// remembers nothing.
func testVisits(t *testing.T, w *windows) {
	for _, c := range []struct {
		shell     string
		transfer  visit.Transfer
		directory string
		folder    string
	}{
		{"cmd", visit.Stdout, "", "AppData/Local/muster"},
		{"cmd", visit.File, "files", "files"},
		{"powershell", visit.Stdout, "", "AppData/Local/muster"},
		{"powershell", visit.File, "2nd", "2nd"},
	} {
		t.Run(c.shell+" "+string(c.transfer), func(t *testing.T) {
			h := w.newHost(t, c.shell)
			visited := h.visited(t)
			visited.Transfer, visited.Directory = c.transfer, c.directory
			visitor := newVisitor(t)
			first := visitor.Visit(t.Context(), visited, sweep)
			wantReport(t, first)
			second := visitor.Visit(t.Context(), visited, sweep)
			wantReport(t, second)
			if !first.Uploaded || second.Uploaded || strings.Contains(stages(second), "deploy") {
				t.Errorf("uploaded: %v, %v; stages: %s", first.Uploaded, second.Uploaded, stages(second))
			}
			if second.Report.OS != "windows" || second.Report.Arch != "amd64" {
				t.Errorf("the report is of %s/%s", second.Report.OS, second.Report.Arch)
			}
			h.wantTheClientAlone(t, filepath.Join(h.home, c.folder))
			if c.directory == "" {
				testTheEndOfTheConnection(t, h)
			}
		})
	}
}

// testElsewhere has a shell that does not begin in the home, as with a profile that changes the folder. A home whose path
// needs no quotes can be named as a whole. One of the hosts leaves the channel open when the client has ended: the visit
// has its report, and does not wait.
func testElsewhere(t *testing.T, w *windows) {
	for _, words := range []string{"cmd+hold", "powershell"} {
		home, err := os.MkdirTemp(filepath.Join(w.Drive, "users"), "jane")
		if err != nil {
			t.Fatal(err)
		}
		h := &host{windows: w, user: filepath.Base(home) + "+elsewhere+" + words, home: home}
		wantReport(t, newVisitor(t).Visit(t.Context(), h.visited(t), sweep))
		h.wantTheClientAlone(t, h.place())
	}
}

// testQuarantine takes the client away, in the ways in which a virus scanner does.
func testQuarantine(t *testing.T, w *windows) {
	const advice = "allow the program with the SHA-256"
	for _, c := range []struct {
		words []string
		stage failure.Stage
		say   string
	}{
		{[]string{"quarantine"}, failure.Deploy, "disappeared"},
		{[]string{"later", "powershell"}, failure.Run, "disappeared"},
		{[]string{"infected"}, failure.Deploy, "da die Datei einen Virus"},
	} {
		t.Run(strings.Join(c.words, " "), func(t *testing.T) {
			h := w.newHost(t, c.words...)
			v := newVisitor(t).Visit(t.Context(), h.visited(t), sweep)
			wantFailure(t, v, c.stage, failure.Vanished, c.say, advice)
			for _, name := range h.files(t, h.home) {
				if name != "AppData" {
					t.Errorf("%s is left", name)
				}
			}
		})
	}
}

// startClient starts the client that a visit has left. It waits for a request.
func (h *host) startClient(t *testing.T, conn *remote.Conn, name string) *remote.Process {
	t.Helper()
	process, err := conn.Start(t.Context(), `AppData\Local\muster\`+name)
	if err != nil {
		t.Fatal(err)
	}
	return process
}

// inUse tells whether a program runs, by what Windows says of its removal.
func inUse(t *testing.T, files *remote.Files, path string) bool {
	t.Helper()
	err := files.Remove(t.Context(), path)
	if err != nil {
		var failed *failure.Error
		if !errors.As(err, &failed) || failed.Kind.IsInterruption() {
			t.Fatal(err)
		}
	}
	return err != nil
}

// testTheEndOfTheConnection breaks off a connection to a host with a client: nobody there ends it, so it ends itself. It
// removes the client.
func testTheEndOfTheConnection(t *testing.T, h *host) {
	t.Helper()
	name := h.wantTheClientAlone(t, h.place())
	path := "AppData/Local/muster/" + name
	broken := h.dial(t)
	h.startClient(t, broken, name)
	files := openFiles(t, h.dial(t))
	eventually(t, "the client runs", func() bool { return running(h.windows, name) })
	if !inUse(t, files, path) {
		t.Fatal("a client that runs was removed")
	}
	_ = broken.Close()
	eventually(t, "the client has ended", func() bool { return !inUse(t, files, path) })
}

// running tells whether a program runs, not as a word of a shell's.
func running(w *windows, name string) bool {
	return slices.ContainsFunc(w.processes(), func(line string) bool {
		program, _, _ := strings.Cut(line, "\x00")
		return strings.HasSuffix(program, name)
	})
}

// testARunningProgram has an older client that still runs when another is installed, and one that runs under the name of the
// client that is to be installed, and is another: damaged, as far as can be seen.
func testARunningProgram(t *testing.T, w *windows) {
	h := w.newHost(t)
	v := newVisitor(t).Visit(t.Context(), h.visited(t), sweep)
	wantReport(t, v)
	old := h.wantTheClientAlone(t, h.place())
	monthAgo := time.Now().Add(-30 * 24 * time.Hour)
	if err := os.Chtimes(filepath.Join(h.place(), old), monthAgo, monthAgo); err != nil {
		t.Fatal(err)
	}
	conn := h.dial(t)
	files := openFiles(t, conn)
	process := h.startClient(t, conn, old)
	eventually(t, "the client runs", func() bool { return running(w, old) })

	// Other versions are made of the same program, with something after its end.
	program, err := embedded(t).Program(windows64)
	if err != nil {
		t.Fatal(err)
	}
	install := func(end string) string {
		content := string(program) + end
		clients := deploytest.Set(t, v.Report.Client, map[deploy.Platform]string{windows64: content})
		installed, err := clients.Install(t.Context(), conn, windows64, "")
		if err != nil || !installed.Uploaded {
			t.Fatalf("got %+v, %v", installed, err)
		}
		name := nameOf(content)
		if got, err := os.ReadFile(filepath.Join(h.place(), name)); err != nil || string(got) != content {
			t.Fatalf("the client is not what was to be installed (%v)", err)
		}
		return name
	}
	newer := install("newer")
	if names := h.files(t, h.place()); len(names) != 2 || !slices.Contains(names, old) || !slices.Contains(names, newer) {
		t.Errorf("beside a client that runs the folder holds %q", names)
	}

	const place = "AppData/Local/muster/"
	const another = "another"
	if err := files.Rename(t.Context(), place+old, place+nameOf(string(program)+another)); err != nil {
		t.Fatalf("a program that runs can be renamed on Windows: %v", err)
	}
	install(another)
	if names := h.files(t, h.place()); len(names) != 3 {
		t.Errorf("the folder holds %q, want two clients and what runs", names)
	}

	// When it has ended, whoever uploads next removes it.
	_ = process.Stdin.Close()
	if _, err := process.Wait(); err != nil {
		t.Error(err)
	}
	last := install("last")
	if names := h.files(t, h.place()); len(names) != 3 || !slices.Contains(names, last) {
		t.Errorf("the folder holds %q, want three clients", names)
	}
}

// nameOf returns the name that a client has on a host.
func nameOf(program string) string {
	sum := sha256.Sum256([]byte(program))
	return "muster-client-" + hex.EncodeToString(sum[:])[:16] + ".exe"
}

// testAdviceOnKeys has a key that the host does not know.
func testAdviceOnKeys(t *testing.T, w *windows) {
	h := w.newHost(t)
	visited := h.visited(t)
	key, err := sshtest.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	visited.Signers = []ssh.Signer{key}
	v := newVisitor(t).Visit(t.Context(), visited, sweep)
	wantFailure(t, v, failure.Authentication, failure.LoginFailed, "administrators_authorized_keys")
}

// testTestsOfTheClient runs the tests of what the client is made of as a program for Windows.
func testTestsOfTheClient(t *testing.T, w *windows) {
	// Those that remove a folder with what is in it, which Go 1.26 does in a way that Wine 8 does not know. What the client does
	// to files is seen in the visits.
	folders := "TestTheReportGoesToAFile|TestAFile.*|TestTheFileDoesNotOutlive.*|TestAHiddenFileIsRefused|TestTheDeadlineEndsAWriteThatHangs|TestOldLeftoversAreRemoved"
	// Those that take every failure for a mistake. What may fail under Wine, testFailures knows.
	failures := "TestTheReportOfThisMachine|TestWhatTheSourcesGiveIsInTheCatalogue"
	// Not those of logs/files, which has a test for that itself, and of logs/syslog, which need the zones' data.
	w.GoTest(t, "-skip", "^("+folders+"|"+failures+"|TestDouble.*)$", "muster/internal/client", "muster/internal/client/bound",
		"muster/internal/client/stats", "muster/internal/client/logs", "muster/internal/client/logs/all",
		"muster/internal/client/logs/winevent", "muster/internal/client/logs/wevt", "muster/internal/seal", "muster/internal/failure")
}
