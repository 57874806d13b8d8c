package remote_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"

	"muster/internal/remote"
	"muster/internal/testserver"
)

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
