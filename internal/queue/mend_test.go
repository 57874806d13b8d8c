package queue_test

import (
	"bytes"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"muster/internal/queue"
)

// streamFiles returns the content of a file of each stream, by the stream's name.
func streamFiles(t *testing.T, folder, name string) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "jetstream", "$G", "streams", "*", name))
	if err != nil || len(files) == 0 {
		t.Fatalf("no stream has a %s (%v)", name, err)
	}
	contents := make(map[string][]byte)
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		contents[filepath.Base(filepath.Dir(file))] = content
	}
	return contents
}

// filled makes a queue with entries and a table, and closes it.
func filled(t *testing.T, o queue.Options) {
	t.Helper()
	q := open(t, o)
	put(t, q, 0, 3)
	if err := q.Table("mails").Put(t.Context(), "k", []byte("v")); err != nil {
		t.Fatal(err)
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
}

// complete checks that a queue has what filled put there, for a reader that has not read it yet.
func complete(t *testing.T, o queue.Options, name string) {
	t.Helper()
	q := open(t, o)
	if got := strings.Join(take(t, reader(t, q, name), 3), " "); got != numbers(0, 3) {
		t.Errorf("read %s", got)
	}
	if all, err := q.Table("mails").All(t.Context()); err != nil || string(all["k"]) != "v" {
		t.Errorf("the table has %q (%v)", all, err)
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
}

// What is as it should be is not written again at each start: so no start can be broken off in the middle of it.
func TestAStartLeavesStreamsAlone(t *testing.T) {
	o := options(t)
	filled(t, o)
	before := streamFiles(t, o.Folder, "meta.inf")
	complete(t, o, "store")
	for stream, is := range streamFiles(t, o.Folder, "meta.inf") {
		if !bytes.Equal(is, before[stream]) {
			t.Errorf("stream %s was written again", stream)
		}
	}
	o.Size = 512 << 20
	complete(t, o, "alert")
	if is := streamFiles(t, o.Folder, "meta.inf")["MUSTER"]; bytes.Equal(is, before["MUSTER"]) {
		t.Error("another size makes no difference")
	}
}

// JetStream writes what a stream is, and then the checksum of it. A process that ends in between loses nothing.
func TestAStreamThatWasHalfChanged(t *testing.T) {
	for _, stream := range []string{"MUSTER", "MUSTER_DEAD", "MUSTER_TABLE_mails"} {
		for name, spoil := range map[string]func(folder string) error{
			"the checksum is the one before": func(folder string) error {
				return os.WriteFile(filepath.Join(folder, "meta.sum"), []byte("0123456789abcdef"), 0o600)
			},
			"there is no checksum": func(folder string) error { return os.Remove(filepath.Join(folder, "meta.sum")) },
		} {
			t.Run(stream+"/"+name, func(t *testing.T) {
				var log bytes.Buffer
				o := options(t)
				filled(t, o)
				good := streamFiles(t, o.Folder, "meta.sum")[stream]
				if err := spoil(filepath.Join(o.Folder, "jetstream", "$G", "streams", stream)); err != nil {
					t.Fatal(err)
				}
				o.Logger = slog.New(slog.NewTextHandler(&log, nil))
				complete(t, o, "store")
				if got := streamFiles(t, o.Folder, "meta.sum")[stream]; !bytes.Equal(got, good) {
					t.Errorf("the checksum is %q, JetStream's was %q", got, good)
				}
				if !strings.Contains(log.String(), "stream="+stream) {
					t.Errorf("nobody is told:\n%s", log.String())
				}
			})
		}
	}
}

// A stream that was being made for the first time has nothing in it, however far that went.
func TestAStreamThatWasHalfMade(t *testing.T) {
	for name, files := range map[string][]string{
		"a folder": nil, "folders": {"_test_1", "msgs/", "obs/"},
		"folders, keys and an empty block": {"msgs/", "obs/", "meta.key", "msgs/1.blk", "msgs/1.key"},
		"a configuration in parts":         {"msgs/", "obs/", "meta.key", "msgs/1.blk", "msgs/1.key", "meta.inf.tmp"},
	} {
		t.Run(name, func(t *testing.T) {
			o := options(t)
			filled(t, o)
			folder := filepath.Join(o.Folder, "jetstream", "$G", "streams", "MUSTER_TABLE_later")
			for _, file := range append([]string{""}, files...) {
				path := filepath.Join(folder, filepath.FromSlash(file))
				var err error
				if file == "" || strings.HasSuffix(file, "/") {
					err = os.Mkdir(path, 0o700)
				} else {
					var content []byte
					if !strings.HasSuffix(file, ".blk") && file != "_test_1" {
						content = []byte("a part")
					}
					err = os.WriteFile(path, content, 0o600)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			complete(t, o, "store")
			q := open(t, o)
			if err := q.Table("later").Put(t.Context(), "k", []byte("v")); err != nil {
				t.Error(err)
			}
		})
	}
}

// A block of messages is made, and then its key: a process that is killed in between loses nothing.
func TestABlockThatWasBegun(t *testing.T) {
	for _, stream := range []string{"MUSTER", "MUSTER_TABLE_mails"} {
		for _, rest := range [][]string{nil, {"msgs/2.key.tmp"}} {
			o := options(t)
			filled(t, o)
			folder := filepath.Join(o.Folder, "jetstream", "$G", "streams", stream)
			for _, name := range append(rest, "msgs/2.blk") {
				if err := os.WriteFile(filepath.Join(folder, filepath.FromSlash(name)), nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			complete(t, o, "store")
			complete(t, o, "alert")
		}
	}
}

// A stream of which everything was read has no messages, and what is known of it nowhere else: how far it was numbered.
func TestAnEmptyStreamWithoutConfigurationIsNotTakenForAnUnusedOne(t *testing.T) {
	o := options(t)
	filled(t, o)
	folder := filepath.Join(o.Folder, "jetstream", "$G", "streams", "MUSTER")
	blocks, err := filepath.Glob(filepath.Join(folder, "msgs", "*.blk"))
	if err != nil || len(blocks) == 0 {
		t.Fatalf("no blocks (%v)", err)
	}
	for _, block := range blocks {
		if err := os.Truncate(block, 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(filepath.Join(folder, "meta.inf")); err != nil {
		t.Fatal(err)
	}
	if q, err := queue.Open(t.Context(), o); err == nil {
		q.Close()
		t.Error("a stream that was used is made anew")
	}
}

// At each start JetStream makes a file to see whether it can write, and removes it. One that a killed process left keeps no
// other from starting; what is not JetStream's is left alone.
func TestAFileThatTriedTheDisk(t *testing.T) {
	o := options(t)
	filled(t, o)
	file := filepath.Join(o.Folder, "jetstream", "_test_3260783629")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	complete(t, o, "store")
	if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is still there (%v)", err)
	}
	if err := os.WriteFile(file, []byte("somebody's"), 0o600); err != nil {
		t.Fatal(err)
	}
	if q, err := queue.Open(t.Context(), o); err == nil {
		q.Close()
	} else if !strings.Contains(err.Error(), filepath.Base(file)) {
		t.Errorf("the error does not name it: %v", err)
	}
	if content, err := os.ReadFile(file); err != nil || string(content) != "somebody's" {
		t.Errorf("a file of somebody else is %q (%v)", content, err)
	}
}

// What is damaged in any other way is not passed over: what waits in the stream would be lost.
func TestAStreamThatIsDamaged(t *testing.T) {
	for name, spoil := range map[string]func(folder string) error{
		"its configuration": func(folder string) error {
			file := filepath.Join(folder, "meta.inf")
			content, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			content[len(content)/2] ^= 1
			return os.WriteFile(file, content, 0o600)
		},
		"no key of a block":              func(folder string) error { return os.Remove(filepath.Join(folder, "msgs", "1.key")) },
		"no configuration, and messages": func(folder string) error { return os.Remove(filepath.Join(folder, "meta.inf")) },
		"no configuration nor checksum, and messages": func(folder string) error {
			return errors.Join(os.Remove(filepath.Join(folder, "meta.inf")), os.Remove(filepath.Join(folder, "meta.sum")))
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := options(t)
			o.Folder = filepath.Join(t.TempDir(), "[data] of *", "queue") // which is no pattern
			if runtime.GOOS == "windows" {
				o.Folder = filepath.Join(t.TempDir(), "[data] of all", "queue")
			}
			filled(t, o)
			folder := filepath.Join(o.Folder, "jetstream", "$G", "streams", "MUSTER")
			if err := spoil(folder); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if q, err := queue.Open(t.Context(), o); err == nil {
					q.Close()
					t.Fatal("a queue that is damaged is taken for an empty one")
				} else if !strings.Contains(err.Error(), "MUSTER") {
					t.Errorf("the error does not name the stream: %v", err)
				}
			}
			if info, err := os.Stat(filepath.Join(folder, "msgs", "1.blk")); err != nil || info.Size() == 0 {
				t.Errorf("the messages are gone (%v)", err)
			}
		})
	}
}
