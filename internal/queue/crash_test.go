package queue_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"muster/internal/queue"
)

// The test binary, started with this argument and a folder, puts entries until it is killed, and prints the id of each
// that is on disk.
const putForever = "put-forever"

func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == putForever {
		fmt.Fprintln(os.Stderr, writeForever(os.Args[2]))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func writeForever(folder string) error {
	q, err := queue.Open(context.Background(), queue.Options{Folder: folder, Readers: []string{"store"}})
	if err != nil {
		return err
	}
	failed := make(chan error)
	var printing sync.Mutex
	for lane := range 4 {
		go func() {
			for n := lane; ; n += 4 {
				e := entry(n)
				e.ID = fmt.Sprintf("%d/%d", os.Getpid(), n)
				if err := q.Put(context.Background(), e); err != nil {
					failed <- err
					return
				}
				printing.Lock()
				fmt.Println(e.ID)
				printing.Unlock()
			}
		}()
	}
	return <-failed
}

// writer is a process that puts entries until something ends it.
type writer struct {
	command *exec.Cmd
	output  io.ReadCloser
	lines   *bufio.Scanner
}

func startWriter(t *testing.T, folder string) *writer {
	t.Helper()
	w := &writer{command: exec.Command(os.Args[0], putForever, folder)}
	w.command.Stderr = os.Stderr
	var err error
	if w.output, err = w.command.StdoutPipe(); err == nil {
		err = w.command.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.kill() })
	w.lines = bufio.NewScanner(w.output)
	return w
}

// read adds so many acknowledged ids; fewer if the writer has ended.
func (w *writer) read(acknowledged map[string]bool, number int) {
	for ; number > 0 && w.lines.Scan(); number-- {
		acknowledged[w.lines.Text()] = true
	}
}

// kill ends the writer.
func (w *writer) kill() {
	if w.command.ProcessState == nil {
		w.command.Process.Kill()
		w.command.Wait()
	}
}

// balance checks that every acknowledged entry is in the queue, once.
func balance(t *testing.T, folder string, acknowledged map[string]bool) {
	t.Helper()
	q, err := queue.Open(t.Context(), queue.Options{Folder: folder, Readers: []string{"store"}})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	r := reader(t, q, "store")
	found := make(map[string]int)
	for waiting := int(q.State().Readers["store"].Entries); waiting > 0; {
		entries, err := r.Next(t.Context(), 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			found[e.ID]++
			waiting--
		}
	}
	var lost, twice []string
	for id := range acknowledged {
		if found[id] == 0 {
			lost = append(lost, id)
		}
	}
	for id, n := range found {
		if n > 1 {
			twice = append(twice, id)
		}
	}
	if len(lost)+len(twice) > 0 {
		t.Fatalf("of %d acknowledged entries %d are lost and %d twice: %s; %s", len(acknowledged), len(lost), len(twice),
			strings.Join(lost, " "), strings.Join(twice, " "))
	}
	t.Logf("%d acknowledged, %d found", len(acknowledged), len(found))
}

func TestWhatIsAcknowledgedSurvivesAKill(t *testing.T) {
	folder := options(t).Folder
	acknowledged := make(map[string]bool)
	for kill := range 8 {
		w := startWriter(t, folder)
		w.read(acknowledged, 20+97*kill)
		w.command.Process.Kill()
		w.read(acknowledged, 1<<30) // what it had printed
		w.command.Wait()
	}
	if len(acknowledged) < 8*20 {
		t.Fatalf("only %d were acknowledged", len(acknowledged))
	}
	balance(t, folder, acknowledged)
}
