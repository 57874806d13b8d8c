package store

import (
	"context"
	"errors"
	"time"

	"gorm.io/gorm"

	"muster/internal/report"
)

// errProbed ends a transaction that is not to be committed.
var errProbed = errors.New("everything was taken")

// Probe tells a database that takes nothing from one that refuses something: it writes a visit and a log record
// like those that Save and SaveLogs write, and takes them back. It returns nil if all tables took what was written.
//
// Errors: those of Save.
func (s *Store) Probe(ctx context.Context) error {
	const name = "(probe)"
	at := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // before any visit: nothing is there that it could meet
	b, err := newBatch([]Visit{{
		ID: name, Sweep: at, Host: name, Started: at,
		Report: &report.Report{
			Visit: name, Host: name, Time: at,
			Statistics: []report.Statistic{{Name: "uptime", Unit: "s", Kind: report.Gauge, Value: 1}},
		},
	}}, s.known)
	if err != nil {
		return err
	}
	logs, err := newLogBatch([]Logs{{
		Visit: name, Sweep: at, Host: name, Read: at, Channels: []report.Logs{{
			Channel: name, Epoch: 1, Records: []report.Record{{ID: 1, Time: at}}, Gaps: []report.Gap{{Epoch: 1, First: 1}},
			Next: report.Cursor{Epoch: 1, Record: 1},
		}},
	}}, s.logon)
	if err != nil {
		return err
	}
	err = s.engine.retry(ctx, func() error {
		return s.once(ctx, func(tx *gorm.DB) error {
			if _, err := s.write(tx, b); err != nil {
				return err
			}
			if err := s.writeLogs(tx, logs); err != nil {
				return err
			}
			return errProbed
		})
	})
	if errors.Is(err, errProbed) {
		return nil
	}
	return s.engine.fail(ctx, "probe", err)
}
