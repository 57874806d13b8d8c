// Package all lists the readers of logs that each platform has.
package all

import (
	"muster/internal/client/logs"
	"muster/internal/client/logs/files"
)

// Sources returns the readers of this platform's logs, no two of which take the same channel. Files are read within the
// fence.
func Sources(fence files.Fence) []logs.Source {
	return append(platform(), files.Source(fence))
}
