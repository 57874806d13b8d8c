//go:build unix && !linux

package main

import (
	"os"
	"testing"
	"time"
)

// awaitWritten begins to watch for a file, which somebody is to write. What it returns waits until that is done: systems
// without inotify have to be asked again and again.
func awaitWritten(t *testing.T, file string) (wait func()) {
	t.Helper()
	return func() {
		t.Helper()
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for until := time.Now().Add(time.Minute); time.Now().Before(until); <-tick.C {
			if info, err := os.Stat(file); err == nil && info.Size() > 0 {
				return
			}
		}
		t.Fatalf("%s does not come", file)
	}
}
