package store

import (
	"context"
	"time"

	"muster/internal/report"
)

// Logs is what one part of a visit brought of a host's logs.
type Logs struct {
	Visit    string    // the visit's id
	Part     int       // of the visit, from 0
	Sweep    time.Time // the sweep's scheduled time
	Host     string    // its name in the configuration
	Groups   string    // "web/front"
	Read     time.Time // when the part was received
	Channels []report.Logs
}

// SaveLogs stores log records, gaps and cursors.
func (s *Store) SaveLogs(ctx context.Context, logs []Logs) error { return nil }
