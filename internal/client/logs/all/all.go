// Package all lists the readers of logs that each platform has.
package all

import (
	"muster/internal/client/logs"
	"muster/internal/client/logs/files"
)

// Sources returns the readers of this platform's logs. The first that takes a channel reads it.
func Sources() []logs.Source {
	return append([]logs.Source{files.Source()}, platform()...)
}
