//go:build !linux

package systemd

import "time"

// monotonic has no answer where there is no systemd.
func monotonic() (time.Duration, bool) { return 0, false }
