package remote_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/crypto/ssh"
	xknownhosts "golang.org/x/crypto/ssh/knownhosts"

	"muster/internal/failure"
	"muster/internal/remote"
	"muster/internal/sshtest"
	"muster/internal/testserver"
)

// acceptNew returns host keys that accept unknown hosts and record them in a file.
func acceptNew(t testing.TB, path string) *remote.HostKeys {
	t.Helper()
	keys, err := remote.LoadHostKeys(path)
	if err != nil {
		t.Fatal(err)
	}
	return keys.AcceptNew(remote.NewRecorder(path))
}

func read(t testing.TB, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func TestAcceptNew(t *testing.T) {
	noLeak(t)
	server := newServer(t, sshtest.Options{})
	file := filepath.Join(t.TempDir(), ".ssh", "known_hosts")
	o := options(t, server)
	o.HostKeys = acceptNew(t, file)
	dial(t, o)
	if got := read(t, file); got != server.KnownHostsLine() {
		t.Errorf("the file holds %q, want %q", got, server.KnownHostsLine())
	}
	if info, err := os.Stat(file); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("its mode is %v, %v", info.Mode(), err)
	}
	dial(t, o) // by what is in memory, where it is still unknown
	recorded := server.KnownHostsLine()

	// A key that changed is refused, whether the change is seen at once or after the file was read again.
	server.SetHostKeys(newKey(t))
	for range 2 {
		_, err := remote.Dial(within(t), o)
		want{failure.Handshake, failure.HostKeyChanged, []string{file}, []string{"muster trust --replace web1"}}.check(t, err)
		o.HostKeys = acceptNew(t, file)
	}
	if got := read(t, file); got != recorded {
		t.Errorf("the file holds %q, want %q", got, recorded)
	}
}

func TestAcceptNewRefuses(t *testing.T) {
	noLeak(t)
	key := newKey(t)
	server := newServer(t, sshtest.Options{HostKeys: []ssh.Signer{key}})
	name := xknownhosts.Normalize(address(server))
	for _, c := range []struct {
		name, content string
		want          failure.Kind
	}{
		{"a revoked key", line("@revoked *", key), failure.HostKeyRevoked},
		{"another key", line(name, newKey(t)), failure.HostKeyChanged},
		{"a host without the certificate it should have", line("@cert-authority *", newKey(t)), failure.HostKeyUnknown},
		{"another type", line(name, hostKey(t, ssh.KeyAlgoECDSA256)), failure.HostKeyChanged},
		{"not the key of another port", line("127.0.0.1", newKey(t)), ""},
		{"not that of another type on another port", line("127.0.0.1", hostKey(t, ssh.KeyAlgoECDSA256)), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := writeFile(t, "known_hosts", c.content, 0o600)
			o := options(t, server)
			o.HostKeys = acceptNew(t, file)
			if c.want == "" {
				dial(t, o)
				return
			}
			_, err := remote.Dial(within(t), o)
			want{failure.Handshake, c.want, nil, nil}.check(t, err)
			if got := read(t, file); got != c.content {
				t.Errorf("the file holds %q", got)
			}
		})
	}
}

func TestAcceptNewWhereNothingCanBeWritten(t *testing.T) {
	server := newServer(t, sshtest.Options{})
	o := options(t, server)
	file := filepath.Join(t.TempDir(), "known_hosts")
	if err := os.Mkdir(file+".lock", 0o700); err != nil { // in the way
		t.Fatal(err)
	}
	o.HostKeys = acceptNew(t, file)
	_, err := remote.Dial(within(t), o)
	want{failure.Handshake, failure.Configuration, []string{"record a host's key"}, []string{"known-hosts="}}.check(t, err)
}

func TestPinnedKeys(t *testing.T) {
	noLeak(t)
	rsa, ed := hostKey(t, ssh.KeyAlgoRSA), newKey(t)
	server := newServer(t, sshtest.Options{HostKeys: []ssh.Signer{ed, rsa}})
	o := options(t, server)
	for name, fingerprints := range map[string][]string{
		"the first":     {ssh.FingerprintSHA256(ed.PublicKey())},
		"another type":  {ssh.FingerprintSHA256(rsa.PublicKey())},
		"one of two":    {"SHA256:nothing", ssh.FingerprintSHA256(ed.PublicKey())},
		"with its fill": {ssh.FingerprintSHA256(ed.PublicKey()) + "="},
	} {
		t.Run(name, func(t *testing.T) {
			o.HostKeys = remote.PinHostKeys(fingerprints...)
			dial(t, o)
		})
	}
	o.HostKeys = remote.PinHostKeys(ssh.FingerprintSHA256(newKey(t).PublicKey()))
	_, err := remote.Dial(within(t), o)
	want{failure.Handshake, failure.HostKeyChanged,
		[]string{ssh.FingerprintSHA256(ed.PublicKey()), "pins another"}, []string{"fingerprint="}}.check(t, err)

	// The login that fails behind a key found at the second try is the login's failure.
	o.HostKeys, o.Password = remote.PinHostKeys(ssh.FingerprintSHA256(rsa.PublicKey())), "wrong"
	_, err = remote.Dial(within(t), o)
	want{failure.Authentication, failure.LoginFailed, nil, nil}.check(t, err)
}

func TestKnownAs(t *testing.T) {
	noLeak(t)
	authority, key := newKey(t), newKey(t)
	server := newServer(t, sshtest.Options{HostKeys: []ssh.Signer{key}})
	o := options(t, server)
	o.KnownAs, o.HostKeys = "Web1.example.org", knownHosts(t, line("web1.example.org", key))
	dial(t, o)
	server.SetHostKeys(certify(t, authority, newKey(t), "web1.example.org", never()))
	o.HostKeys = knownHosts(t, line("@cert-authority *.example.org", authority))
	dial(t, o)
	o.KnownAs = ""
	server.SetHostKeys(key)
	_, err := remote.Dial(within(t), o)
	want{failure.Handshake, failure.HostKeyUnknown, nil, nil}.check(t, err)
}

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

// TestManyWritersAtOnce has recorders in this process and another, OpenSSH's ssh, and one who removes lines, at work on one
// file: every line comes to it, once, whole.
func TestManyWritersAtOnce(t *testing.T) {
	program := testserver.Need(t, "ssh", "openssh-client")
	server := testserver.SSHD(t, testserver.SSHDOptions{})
	key, changing := newKey(t), newKey(t)
	file := writeFile(t, "known_hosts", "# mine\n"+line("changing", newKey(t)), 0o600)
	first, second := remote.NewRecorder(file), remote.NewRecorder(file)
	child := writerProcess(t, file, "child", 200)
	var writing sync.WaitGroup
	for i := range 400 {
		r := first
		if i%2 == 0 {
			r = second
		}
		writing.Go(func() {
			if err := r.Record(within(t), fmt.Sprintf("host%d:22", i), key.PublicKey()); err != nil {
				t.Error(err)
			}
		})
	}
	const bySSH = 8
	for i := range bySSH {
		writing.Go(func() {
			command := exec.CommandContext(within(t), program, "-F", "none", "-o", "StrictHostKeyChecking=accept-new",
				"-o", "UserKnownHostsFile="+file, "-o", "HostKeyAlias=ssh"+strconv.Itoa(i), "-o", "BatchMode=yes",
				"-i", server.KeyFile, "-p", strconv.Itoa(server.Port), server.User+"@"+server.Address, "true")
			if output, err := command.CombinedOutput(); err != nil {
				t.Errorf("ssh: %v: %s", err, output)
			}
		})
	}
	writing.Go(func() {
		for range 20 {
			changing = newKey(t)
			if err := second.Replace(within(t), "changing:22", changing.PublicKey()); err != nil {
				t.Error(err)
			}
		}
	})
	writing.Wait()
	if err := child.Wait(); err != nil {
		t.Errorf("the other process: %v", err)
	}
	content := read(t, file)
	count := make(map[string]int)
	for text := range strings.Lines(content) {
		name, _, _ := strings.Cut(text, " ")
		count[name]++
	}
	for i := range 400 {
		if name := fmt.Sprintf("host%d", i); count[name] != 1 {
			t.Errorf("%s is there %d times", name, count[name])
		}
	}
	for i := range 200 {
		if name := fmt.Sprintf("child%d", i); count[name] != 1 {
			t.Errorf("%s is there %d times", name, count[name])
		}
	}
	for i := range bySSH {
		if name := fmt.Sprintf("ssh%d", i); count[name] == 0 {
			t.Errorf("what ssh wrote for %s is lost", name)
		}
	}
	if count["changing"] != 1 || !strings.Contains(content, line("changing", changing)) || !strings.HasPrefix(content, "# mine\n") {
		t.Errorf("the changing host is there %d times, or with an old key", count["changing"])
	}
	if _, err := remote.LoadHostKeys(file); err != nil {
		t.Error(err)
	}
}

// writerVariable makes a test process a writer of the file that it names.
const writerVariable = "MUSTER_TEST_WRITER"

// writer is a process that records hosts.
type writer struct {
	*exec.Cmd
	lines *bufio.Scanner
}

// writerProcess starts a process that records so many hosts, and prints the name of each that is on disk.
func writerProcess(t *testing.T, file, name string, hosts int) *writer {
	t.Helper()
	command := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestWriterProcess$")
	command.Env = append(os.Environ(), fmt.Sprintf("%s=%s %s %d", writerVariable, file, name, hosts))
	output, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	return &writer{command, bufio.NewScanner(output)}
}

// Wait reads what it prints to the end, and waits.
func (w *writer) Wait() error {
	for w.lines.Scan() {
	}
	return w.Cmd.Wait()
}

// TestWriterProcess is the other process of the tests around it.
func TestWriterProcess(t *testing.T) {
	var file, name string
	var hosts int
	if _, err := fmt.Sscan(os.Getenv(writerVariable), &file, &name, &hosts); err != nil {
		t.Skip("it is for the tests beside it")
	}
	r, key := remote.NewRecorder(file), newKey(t)
	var writing sync.WaitGroup
	for i := range hosts {
		writing.Go(func() {
			host := name + strconv.Itoa(i)
			if err := r.Record(context.Background(), host+":22", key.PublicKey()); err != nil {
				t.Error(err)
			}
			_, _ = io.WriteString(os.Stdout, host+"\n")
		})
	}
	writing.Wait()
}

// TestWriterThatIsKilled kills processes while they write: what they said to be on disk is there, and the file can be read.
func TestWriterThatIsKilled(t *testing.T) {
	file := writeFile(t, "known_hosts", "# mine\n", 0o600)
	random := rand.New(rand.NewPCG(1, 2))
	promised := make(map[string]bool)
	for round := range 8 {
		w := writerProcess(t, file, fmt.Sprintf("round%d-", round), 2000)
		for range random.IntN(400) {
			if !w.lines.Scan() {
				break
			}
			promised[w.lines.Text()] = true
		}
		_ = w.Process.Kill()
		_ = w.Cmd.Wait()
		if err := remote.NewRecorder(file).Record(within(t), fmt.Sprintf("after%d:22", round), newKey(t).PublicKey()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := remote.LoadHostKeys(file); err != nil {
		t.Error(err)
	}
	content := "\n" + read(t, file)
	for host := range promised {
		if strings.HasPrefix(host, "round") && !strings.Contains(content, "\n"+host+" ") {
			t.Errorf("%s is lost", host)
		}
	}
	if len(promised) < 100 {
		t.Errorf("only %d were promised: this tests nothing", len(promised))
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
