package store

import (
	"context"
	"slices"

	"muster/internal/report"
)

// Cursors returns where the reading of channels stands, as far as it is stored: all records up to each cursor are, except for
// those that became dead letters. The channels are those of each host, and so is the result; what has no cursor is left out.
// A cursor may be behind what was read, since it moves with what is stored, and not where nothing was to be. Of each host all
// cursors are read, so a fleet is better asked for by the hundred.
//
// Errors: ErrUnavailable, or ctx's.
func (s *Store) Cursors(ctx context.Context, channels map[string][]string) (map[string]map[string]report.Cursor, error) {
	hosts := make([]string, 0, len(channels))
	for host := range channels {
		hosts = append(hosts, key(host, maxHost))
	}
	slices.Sort(hosts)
	db, cancel := s.read(ctx)
	defer cancel()
	stored, err := readCursors(db, hosts)
	if err != nil {
		return nil, s.engine.fail(ctx, "read the cursors of logs", err)
	}
	found := make(map[string]map[string]report.Cursor, len(channels))
	for host, names := range channels {
		of := make(map[string]report.Cursor, len(names))
		for _, name := range names {
			if row, ok := stored[channelKey{key(host, maxHost), key(name, report.MaxChannel)}]; ok {
				of[name] = report.Cursor{Epoch: row.Epoch, Record: row.RecordID, Position: row.Position}
			}
		}
		if len(of) > 0 {
			found[host] = of
		}
	}
	return found, nil
}
