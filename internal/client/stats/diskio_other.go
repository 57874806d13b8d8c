//go:build darwin || windows

package stats

import "context"

// wholeDisks wants every device: only whole disks (macOS) or drives (Windows) are listed.
func wholeDisks(context.Context) func(name string) bool {
	return func(string) bool { return true }
}
