package journal

import (
	"syscall"
	"testing"
	"time"
)

// cpu returns the CPU time that this process, and those it waited for, have had.
func cpu(b *testing.B) (ours, children time.Duration) {
	b.Helper()
	var times [2]time.Duration
	for i, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		if err := syscall.Getrusage(who, &u); err != nil {
			b.Fatal(err)
		}
		times[i] = time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	return times[0], times[1]
}
