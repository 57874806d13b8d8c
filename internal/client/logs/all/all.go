// Package all lists the readers of logs that each platform has.
package all

import "muster/internal/client/logs"

// Sources returns the readers of this platform's logs. The first that takes a channel reads it.
func Sources() []logs.Source {
	return platform()
}
