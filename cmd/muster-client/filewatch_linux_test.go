package main

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// awaitWritten begins to watch for a file, which somebody is to write and to close. What it returns waits until that is done.
func awaitWritten(t *testing.T, file string) (wait func()) {
	t.Helper()
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		t.Fatal(err)
	}
	events := os.NewFile(uintptr(fd), "inotify")
	t.Cleanup(func() { events.Close() })
	if _, err := unix.InotifyAddWatch(fd, filepath.Dir(file), unix.IN_CLOSE_WRITE); err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		if err := events.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		buffer := make([]byte, 4096)
		for {
			n, err := events.Read(buffer)
			if err != nil {
				t.Fatalf("%s does not come: %v", file, err)
			}
			for rest := buffer[:n]; len(rest) >= unix.SizeofInotifyEvent; { // inotify(7)
				end := unix.SizeofInotifyEvent + int(binary.NativeEndian.Uint32(rest[12:]))
				name, _, _ := bytes.Cut(rest[unix.SizeofInotifyEvent:end], []byte{0})
				if string(name) == filepath.Base(file) {
					return
				}
				rest = rest[end:]
			}
		}
	}
}
