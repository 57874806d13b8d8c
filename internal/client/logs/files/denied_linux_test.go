package files_test

import (
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"muster/internal/report"
)

// TestDenied takes root's right to read everything from the thread that reads.
func TestDenied(t *testing.T) {
	path := folder(t)
	appendTo(t, path, "a\n")
	s := newServer(t, path)
	s.want("a")
	must(t, os.Chmod(path, 0))
	var answer report.Logs
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		if dropOverride(t) {
			answer = s.part()
		}
	}()
	<-done
	if answer.Trouble == nil || answer.Trouble.Kind != report.TroubleDenied || answer.Next != s.request.Cursor {
		t.Errorf("got %+v", answer)
	}
	must(t, os.Chmod(path, 0o600))
	appendTo(t, path, "b\n")
	s.want("a", "b")
}

// dropOverride takes from the calling thread what lets root read files whatever their mode says.
func dropOverride(t *testing.T) bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var rights [2]unix.CapUserData
	if err := unix.Capget(&header, &rights[0]); err != nil {
		t.Errorf("capget: %v", err)
		return false
	}
	rights[0].Effective &^= 1<<unix.CAP_DAC_OVERRIDE | 1<<unix.CAP_DAC_READ_SEARCH
	if err := unix.Capset(&header, &rights[0]); err != nil {
		t.Errorf("capset: %v", err)
		return false
	}
	return true
}
