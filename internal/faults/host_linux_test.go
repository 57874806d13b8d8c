package faults_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"muster/internal/faults"
	"muster/internal/testserver"
)

// processLimit is how many processes a host may have, by the limit of the bench's configuration.
const processLimit = 40

// forced is what sshd runs in place of every command ($SSH_ORIGINAL_COMMAND): a host that numbers the runs of the client,
// that is busy with many processes while it is told to be, and whose client dies after a moment when it is doomed.
const forced = `#!/bin/sh
folder='%s'
case "$SSH_ORIGINAL_COMMAND" in
internal-sftp|*/sftp-server) exec %s ;;
*" "*|"") ;;
*muster-client-*)
	number=$(flock "$folder/runs" sh -c 'echo >>"$0"; wc -l <"$0"' "$folder/runs")
	echo "%s$number" >&2
	if [ -e "$folder/busy" ]; then
		n=0
		while [ $n -lt %d ]; do sleep 2 </dev/null >/dev/null 2>&1 & n=$((n+1)); done
	fi
	if mv "$folder/doomed" "$folder/doomed.$number" 2>/dev/null; then
		(sleep "$(cat "$folder/doomed.$number")"; kill -9 $$ && echo >>"$folder/killed"; rm "$folder/doomed.$number") </dev/null >/dev/null 2>&1 &
	fi
	eval "exec $SSH_ORIGINAL_COMMAND" ;;
esac
exec env -i HOME="$HOME" USER="$USER" PATH=/usr/bin:/bin /bin/sh -c "$SSH_ORIGINAL_COMMAND"
`

// host is a machine that is visited.
type host struct {
	name   string
	folder string // where it keeps count
	sshd   *testserver.Sshd
	line   *line
	log    *hostLog
}

func newHost(t testing.TB, dir, name string) *host {
	t.Helper()
	h := &host{name: name, folder: filepath.Join(dir, name)}
	sftp := testserver.Need(t, "sftp-server", "openssh-sftp-server")
	testserver.Need(t, "flock", "util-linux")
	if err := os.Mkdir(h.folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(h.folder, 0o777); err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(h.folder, "command")
	text := fmt.Sprintf(forced, h.folder, sftp, faults.Numbered, processLimit+20)
	if err := os.WriteFile(script, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	h.sshd = testserver.SSHD(t, testserver.SSHDOptions{Config: []string{
		"ForceCommand " + script, "Subsystem sftp " + sftp,
	}})
	h.sshd.NeedPassword(t)
	var err error
	if h.log, err = newHostLog(name, filepath.Join(h.folder, "log")); err != nil {
		t.Fatal(err)
	}
	h.line = newLine(t, name, fmt.Sprintf("%s:%d", h.sshd.Address, h.sshd.Port))
	return h
}

// element is the host in the configuration.
func (h *host) element(more string) string {
	return fmt.Sprintf(`<host name="%s" address="127.0.0.1" port="%d" user="%s" key="%s" %s mail="%[1]s@bench.test">%[6]s</host>`,
		h.name, h.line.port, h.sshd.User, h.sshd.KeyFile, more, h.log.elements())
}

// known is its line of known_hosts, at the port that the server knows.
func (h *host) known(t testing.TB) string {
	t.Helper()
	content, err := os.ReadFile(h.sshd.KnownHosts)
	if err != nil {
		t.Fatal(err)
	}
	_, key, _ := strings.Cut(strings.TrimSpace(string(content)), " ")
	return fmt.Sprintf("[127.0.0.1]:%d %s\n", h.line.port, key)
}

func (h *host) lines(file string) int {
	content, _ := os.ReadFile(filepath.Join(h.folder, file))
	return bytes.Count(content, []byte("\n"))
}

// handed returns the number of its last report.
func (h *host) handed() int { return h.lines("runs") }

// suffer carries out a fault of the host, and returns how often it struck.
func (h *host) suffer(ctx context.Context, f faults.Fault) (int, error) {
	switch f.Kind {
	case faults.ResetHost:
		return 1, h.sshd.Restart()
	case faults.Wipe:
		return 1, os.RemoveAll(filepath.Join(h.sshd.Home, ".cache"))
	case faults.Exceed:
		busy := filepath.Join(h.folder, "busy")
		err := os.WriteFile(busy, nil, 0o600)
		pause(ctx, f.Hold)
		return 1, errors.Join(err, os.Remove(busy))
	case faults.Rotate:
		return 1, h.log.rotate()
	case faults.Clear:
		return 1, h.log.clear(ctx, f)
	case faults.Flood:
		return h.log.flood(f)
	case faults.KillSession:
		return h.killSession(ctx, f.Hold), nil
	case faults.KillClient:
		return h.killClient(ctx, f)
	}
	return 0, fmt.Errorf("a host knows no fault %q", f.Kind)
}

// killClient has the client of the next visit killed in its first milliseconds.
func (h *host) killClient(ctx context.Context, f faults.Fault) (int, error) {
	before := h.lines("killed")
	doomed := filepath.Join(h.folder, "doomed")
	delay := fmt.Sprintf("%.4f\n", f.Dose*0.03)
	if err := os.WriteFile(doomed, []byte(delay), 0o644); err != nil {
		return 0, err
	}
	for end := time.Now().Add(f.Hold); time.Now().Before(end) && h.lines("killed") == before; {
		if !pause(ctx, 20*time.Millisecond) {
			break
		}
	}
	if err := os.Remove(doomed); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	return h.lines("killed") - before, nil
}

// killSession kills sshd's processes of a visit under way, as soon as there is one: the client loses its server.
func (h *host) killSession(ctx context.Context, patience time.Duration) int {
	for end := time.Now().Add(patience); time.Now().Before(end); {
		space := h.namespace()
		var sessions []process
		for _, p := range processes("sshd") {
			if strings.HasPrefix(p.command, "sshd") && strings.Contains(p.command, h.sshd.User) && p.namespace() == space {
				sessions = append(sessions, p)
			}
		}
		if space != "" && kill(sessions) > 0 {
			return 1
		}
		if !pause(ctx, 50*time.Millisecond) {
			break
		}
	}
	return 0
}

// namespace is that of the host's processes; empty while sshd does not run.
func (h *host) namespace() string {
	for _, p := range processes(h.sshd.Folder() + "/sshd_config") {
		if strings.HasPrefix(p.command, "sshd:") || strings.Contains(p.command, "/sshd -D") {
			return p.namespace()
		}
	}
	return ""
}

// age makes all files beside the client old, so that the next client that runs there tidies up.
func (h *host) age() error {
	old := time.Now().Add(-3 * time.Hour)
	return filepath.WalkDir(h.sshd.Home, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil || entry.IsDir():
			return err
		case strings.HasPrefix(entry.Name(), "muster-client-"):
			return nil
		}
		return os.Chtimes(path, old, old)
	})
}

// left returns what visits left on the host: files beside one client, and clients that run.
func (h *host) left() (files, running []string, err error) {
	clients := 0
	err = filepath.WalkDir(h.sshd.Home, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, _ := filepath.Rel(h.sshd.Home, path)
		if clients == 0 && strings.HasPrefix(name, ".cache/muster/muster-client-") {
			clients++
			return nil
		}
		files = append(files, h.name+": "+name)
		return nil
	})
	for _, p := range processes(filepath.Join(h.sshd.Home, ".cache/muster")) {
		running = append(running, h.name+": "+p.command)
	}
	return files, running, err
}
