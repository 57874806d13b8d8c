package remote_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	xknownhosts "golang.org/x/crypto/ssh/knownhosts"

	"muster/internal/failure"
	"muster/internal/remote"
	"muster/internal/testserver"
)

func TestRecorderKeepsWhatIsThere(t *testing.T) {
	key, other := newKey(t), newKey(t)
	for _, c := range []struct{ name, before, after string }{
		{"a line without an end", "# mine\n" + strings.TrimSuffix(line("web2", other), "\n"),
			"# mine\n" + line("web2", other) + line("web1", key)},
		{"a line that was cut off", line("web2", other) + "web3 ssh-ed25519 AAAAC3N",
			line("web2", other) + "#eb3 ssh-ed25519 AAAAC3N\n" + line("web1", key)},
		{"the key already", line("web1,web2", key), line("web1,web2", key)},
		{"the key for a pattern", line("web*", key), line("web*", key)},
		{"nothing but a comment", "# mine", "# mine\n" + line("web1", key)},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := writeFile(t, "known_hosts", c.before, 0o640)
			if err := remote.NewRecorder(file).Record(within(t), "web1:22", key.PublicKey()); err != nil {
				t.Fatal(err)
			}
			if got := read(t, file); got != c.after {
				t.Errorf("the file holds %q, want %q", got, c.after)
			}
			if info, err := os.Stat(file); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o640 {
				t.Errorf("its mode is %v, %v", info.Mode(), err)
			}
			if _, err := remote.LoadHostKeys(file); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestRecorderHashesWhereOthersDo(t *testing.T) {
	keygen := testserver.Need(t, "ssh-keygen", "openssh-client")
	key := newKey(t)
	hashed := writeFile(t, "hashed", line(xknownhosts.HashHostname("web2"), newKey(t)), 0o600)
	plain := writeFile(t, "plain", line("web2", newKey(t)), 0o600)
	asked := remote.NewRecorder(plain)
	asked.Hash = true
	for file, r := range map[string]*remote.Recorder{hashed: remote.NewRecorder(hashed), plain: asked} {
		if err := r.Record(within(t), "web1:22", key.PublicKey()); err != nil {
			t.Fatal(err)
		}
		if got := read(t, file); strings.Contains(got, "web1") {
			t.Errorf("the name is not hashed: %s", got)
		}
		if output, err := exec.CommandContext(within(t), keygen, "-F", "web1", "-f", file).Output(); err != nil ||
			!strings.Contains(string(output), "found: line 2") {
			t.Errorf("ssh-keygen does not find it: %v: %s", err, output)
		}
	}
}

func TestReplace(t *testing.T) {
	old, key, other := newKey(t), newKey(t), newKey(t)
	for _, c := range []struct{ name, before, after string }{
		{"a line of its own", "# mine\n\n" + line("web1", old) + line("web2", other), "# mine\n\n" + line("web2", other) + line("web1", key)},
		{"among other names", line("web2,web1,10.0.0.1", old), line("web2,10.0.0.1", old) + line("web1", key)},
		{"hashed", line(xknownhosts.HashHostname("web1"), old) + line("web2", other), line("web2", other) + line("web1", key)},
		{"several", line("web1", old) + line("web1", other), line("web1", key)},
		{"the key is there", line("web1", old) + line("web1", key), line("web1", key)},
		{"nothing", "", line("web1", key)},
		{"authorities and revoked keys", line("@cert-authority web1", old) + line("@revoked web1", other),
			line("@cert-authority web1", old) + line("@revoked web1", other) + line("web1", key)},
		{"another port", line("[web1]:2222", old), line("[web1]:2222", old) + line("web1", key)},
		{"no end", line("web1", old) + strings.TrimSuffix(line("web2", other), "\n"), line("web2", other) + line("web1", key)},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := writeFile(t, "known_hosts", c.before, 0o640)
			link := filepath.Join(t.TempDir(), "link")
			if err := os.Symlink(file, link); err != nil {
				t.Fatal(err)
			}
			if err := remote.NewRecorder(link).Replace(within(t), "web1:22", key.PublicKey()); err != nil {
				t.Fatal(err)
			}
			if got := read(t, file); got != c.after {
				t.Errorf("the file holds\n%s, want\n%s", got, c.after)
			}
			if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
				t.Errorf("the link is %v, %v", info.Mode(), err)
			}
			if info, err := os.Stat(file); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o640 {
				t.Errorf("the mode is %v, %v", info.Mode(), err)
			}
			if left, err := filepath.Glob(file + ".*.tmp"); err != nil || len(left) > 0 {
				t.Errorf("%v is left, %v", left, err)
			}
		})
	}
	pattern := writeFile(t, "known_hosts", line("web*", old), 0o600)
	err := remote.NewRecorder(pattern).Replace(within(t), "web1:22", key.PublicKey())
	want{kind: failure.Configuration, says: []string{"line 1", "pattern"}}.check(t, err)
	mixed := writeFile(t, "known_hosts", line("web*,web1", old), 0o600)
	err = remote.NewRecorder(mixed).Replace(within(t), "web1:22", key.PublicKey())
	want{kind: failure.Configuration, says: []string{"line 1", "pattern"}}.check(t, err)
}

func TestForget(t *testing.T) {
	old, key := newKey(t), newKey(t)
	missing := filepath.Join(t.TempDir(), "missing")
	if err := remote.NewRecorder(missing).Forget(within(t), "web1:22", key.PublicKey()); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(missing); err == nil {
		t.Error("it made a file to forget something in")
	}
	file := writeFile(t, "known_hosts", line("web1", old)+line("web1", key), 0o600)
	if err := remote.NewRecorder(file).Forget(within(t), "web1:22", key.PublicKey()); err != nil {
		t.Fatal(err)
	}
	if got := read(t, file); got != line("web1", key) {
		t.Errorf("the file holds %q", got)
	}
}

// TestForgetWhereThereIsNothingToForget leaves the folder alone, which few may write to where the file is the machine's own.
func TestForgetWhereThereIsNothingToForget(t *testing.T) {
	key, other := newKey(t), newKey(t)
	content := line("@revoked *", other) + line("web1", key) + line("web2", other) + line("*.example.org", other)
	file := writeFile(t, "known_hosts", content, 0o444)
	release := holdLock(t, file+".lock") // it is not waited for
	defer release()
	if err := remote.NewRecorder(file).Forget(within(t), "web1:22", key.PublicKey()); err != nil {
		t.Error(err)
	}
	if got := read(t, file); got != content {
		t.Errorf("the file holds %q", got)
	}
	unlocked := writeFile(t, "known_hosts", content, 0o444)
	if err := remote.NewRecorder(unlocked).Forget(within(t), "web1:22", key.PublicKey()); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(unlocked + ".lock"); err == nil {
		t.Error("it made a lock to change nothing")
	}
}

// TestRecorderWaitsForTheLock has somebody else hold the lock.
func TestRecorderWaitsForTheLock(t *testing.T) {
	file := writeFile(t, "known_hosts", "", 0o600)
	release := holdLock(t, file+".lock")
	r := remote.NewRecorder(file)
	ctx, cancel := context.WithCancel(within(t))
	var failed atomic.Int32
	var waiting sync.WaitGroup
	for i := range 10 {
		waiting.Go(func() {
			err := r.Record(ctx, fmt.Sprintf("web%d:22", i), newKey(t).PublicKey())
			if errors.Is(err, context.Canceled) {
				failed.Add(1)
			}
		})
	}
	cancel()
	waiting.Wait()
	if failed.Load() != 10 {
		t.Errorf("%d of 10 gave up", failed.Load())
	}
	release()
	if err := r.Record(within(t), "web99:22", newKey(t).PublicKey()); err != nil {
		t.Error(err)
	}
}

// BenchmarkRecord is a first sweep over hosts that are all unknown, 256 at a time.
func BenchmarkRecord(b *testing.B) {
	key := newKey(b)
	file := writeFile(b, "known_hosts", "", 0o600)
	r := remote.NewRecorder(file)
	slots := make(chan struct{}, 256)
	var writing sync.WaitGroup
	b.ResetTimer()
	for i := range b.N {
		slots <- struct{}{}
		writing.Go(func() {
			defer func() { <-slots }()
			if err := r.Record(context.Background(), fmt.Sprintf("host%d:22", i), key.PublicKey()); err != nil {
				b.Error(err)
			}
		})
	}
	writing.Wait()
}
