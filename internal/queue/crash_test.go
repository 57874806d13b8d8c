package queue_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"

	"muster/internal/queue"
)

// The test binary, started with this argument, a folder and a number, uses the queue there until it is killed, and prints
// what is on disk: see use.
const useForever = "use-forever"

func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == holdMuch {
		fmt.Println(hold(os.Args[2], os.Args[3]))
		os.Exit(0)
	}
	if len(os.Args) == 4 && os.Args[1] == useForever {
		start, err := strconv.Atoi(os.Args[3])
		if err == nil {
			err = use(os.Args[2], start)
		}
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// use puts entries and reads them, and changes a table, until an error. It prints
//
//	put N     when entry N is on disk
//	read N    when entry N was read, before that is noted
//	done N    when the position with sequence N is on disk; what is before it is deleted then
//	table N   when step N of the table's story is on disk
func use(folder string, start int) error {
	q, err := queue.Open(context.Background(), queue.Options{Folder: folder, Readers: []string{"store"}})
	if err != nil {
		return err
	}
	r, err := q.Reader("store")
	if err != nil {
		return err
	}
	failed := make(chan error)
	var printing sync.Mutex
	say := func(what string, number any) {
		printing.Lock()
		defer printing.Unlock()
		fmt.Println(what, number)
	}
	for lane := range 4 {
		go func() {
			for n := start + lane; ; n += 4 {
				if err := q.Put(context.Background(), entry(n)); err != nil {
					failed <- err
				}
				say("put", n)
			}
		}()
	}
	go func() {
		for n := start; ; n++ {
			if err := tell(q.Table("story"), n); err != nil {
				failed <- err
			}
			say("table", n)
		}
	}()
	go func() {
		for n := 0; ; n++ {
			entries, err := r.Next(context.Background(), 1<<10)
			if err != nil {
				failed <- err
			}
			for _, e := range entries {
				say("read", e.ID)
			}
			p := entries[len(entries)-1].Position
			if err := r.Done(context.Background(), p); err != nil {
				failed <- err
			}
			say("done", p.Sequence)
			if n%8 == 0 {
				q.Look(context.Background())
			}
		}
	}()
	return <-failed
}

// The story of a table: step n changes key n mod 5. Every third change deletes it, the others put n.
const storyKeys = 5

func storyDeletes(n int) bool { return n/storyKeys%3 == 2 }

func tell(table *queue.Table, n int) error {
	key := fmt.Sprint(n % storyKeys)
	if storyDeletes(n) {
		return table.Delete(context.Background(), key)
	}
	return table.Put(context.Background(), key, fmt.Append(nil, n))
}

// books are what processes said before they were ended.
type books struct {
	put, read map[string]bool
	done      uint64
	table     int // the last step; -1: none
	maybe     int // the last step that may be on disk
	next      int // a number that nobody has used
}

func newBooks() *books {
	return &books{put: make(map[string]bool), read: make(map[string]bool), table: -1}
}

// user is a process that uses the queue until something ends it.
type user struct {
	command *exec.Cmd
	lines   *bufio.Scanner
	books   *books
}

func startUser(t *testing.T, folder string, b *books) *user {
	t.Helper()
	u := &user{command: exec.Command(os.Args[0], useForever, folder, fmt.Sprint(b.next)), books: b}
	b.next += 1 << 20
	u.command.Stderr = os.Stderr
	output, err := u.command.StdoutPipe()
	if err == nil {
		err = u.command.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if u.command.ProcessState == nil {
			u.command.Process.Kill()
			u.command.Wait()
		}
	})
	u.lines = bufio.NewScanner(output)
	return u
}

// hear notes so many lines, or all until the process ends. What is doubtful may be on disk or not.
func (u *user) hear(number int, doubtful bool) {
	for ; number > 0 && u.lines.Scan(); number-- {
		what, text, _ := strings.Cut(u.lines.Text(), " ")
		n, _ := strconv.Atoi(text)
		switch what {
		case "put":
			if !doubtful {
				u.books.put[text] = true
			}
		case "read":
			u.books.read[text] = true
		case "done":
			if !doubtful {
				u.books.done = uint64(n)
			}
		case "table":
			u.books.maybe = n + 1
			if !doubtful {
				u.books.table = n
			}
		}
	}
}

// kill ends the process, and notes what it had said.
func (u *user) kill(doubtful bool) {
	u.command.Process.Kill()
	u.hear(1<<30, doubtful)
	u.command.Wait()
}

// balance checks that every acknowledged entry is in the queue, once, or was read; that what was done is not read again;
// and that the table is what it was.
func (b *books) balance(t *testing.T, folder string) {
	t.Helper()
	q, err := queue.Open(t.Context(), queue.Options{Folder: folder, Readers: []string{"store"}})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	r := reader(t, q, "store")
	found := make(map[string]bool)
	var number uint64
	for waiting := int(q.State().Readers["store"].Entries); waiting > 0; {
		entries, err := r.Next(t.Context(), 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if found[e.ID] {
				t.Errorf("entry %s is there twice", e.ID)
			}
			if e.Position.Sequence <= b.done {
				t.Errorf("entry %s, at %d, is read again though %d was done", e.ID, e.Position.Sequence, b.done)
			}
			if e.Number <= number {
				t.Errorf("the number %d of entry %s comes after %d", e.Number, e.ID, number)
			}
			found[e.ID], number = true, e.Number
			waiting--
		}
	}
	for id := range b.put {
		if !found[id] && !b.read[id] {
			t.Errorf("entry %s was acknowledged and is lost", id)
		}
	}
	b.balanceTable(t, q)
	t.Logf("%d put, %d read, %d left, done to %d, %d steps in the table", len(b.put), len(b.read), len(found), b.done, b.table)
}

// wantStory fails a test in which too little has happened for it to say anything.
func (b *books) wantStory(t *testing.T) {
	t.Helper()
	if len(b.read) == 0 || b.done == 0 || b.table < 0 {
		t.Error("that was no test")
	}
}

// balanceTable follows the story of the table, which may be ahead of what was said for certain.
func (b *books) balanceTable(t *testing.T, q *queue.Queue) {
	t.Helper()
	if b.table%(1<<20) < storyKeys {
		return // the last process has not been at every key
	}
	all, err := q.Table("story").All(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for key := range storyKeys {
		last := b.table - (b.table-key+storyKeys)%storyKeys // of this key
		ok := false
		for step := last; step <= b.maybe; step += storyKeys {
			value, there := all[fmt.Sprint(key)]
			switch {
			case storyDeletes(step) && !there, !storyDeletes(step) && string(value) == fmt.Sprint(step):
				ok = true
			}
		}
		if !ok {
			t.Errorf("key %d is %q after step %d", key, all[fmt.Sprint(key)], last)
		}
	}
}

func TestWhatIsAcknowledgedSurvivesAKill(t *testing.T) {
	folder := options(t).Folder
	b := newBooks()
	for kill := range 6 {
		u := startUser(t, folder, b)
		u.hear(200+197*kill, false)
		u.kill(false)
		b.balance(t, folder)
	}
	b.wantStory(t)
}
