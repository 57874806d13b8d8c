package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Check is what Verify has looked at, and found.
type Check struct {
	Name     string
	Problems int64
	Details  []string // of the problems, some
	Advice   string   // what to do about them; empty where there are none
}

// Verify looks for what must not be: a version of the schema that is not this program's, a damaged SQLite file, statistics
// and visits that belong to nothing, series that are not what their ids say, log records beyond their cursor. It changes nothing. It calls done for each
// check in turn, and leaves out those that make no sense after what was found.
//
// It reads the whole database and takes as long as that does; each check sees it as it is at one moment, so that it may
// run while others write. PostgreSQL's and MySQL's files are for their own tools to check.
//
// Errors: ErrUnavailable, or ctx's.
func (s *Store) Verify(ctx context.Context, done func(Check)) error {
	for _, check := range []func(context.Context) ([]Check, error){
		s.checkFile, s.checkVersion, s.checkStatistics, s.checkVisits, s.checkSeries, s.checkLogs,
	} {
		checks, err := check(ctx)
		if err != nil {
			return s.engine.fail(ctx, "verify", err)
		}
		for _, c := range checks {
			if c.Problems == 0 {
				c.Advice = ""
			}
			done(c)
			if c.Problems > 0 && (c.Name == fileCheck || c.Name == versionCheck) {
				return nil
			}
		}
	}
	return nil
}

// The checks that the others need.
const (
	fileCheck    = "the file is sound"
	versionCheck = "the schema is of this program's version"
)

func (s *Store) checkFile(ctx context.Context) ([]Check, error) {
	if s.engine.check == nil {
		return nil, nil
	}
	found, err := s.engine.check(ctx, s.pool)
	return []Check{{
		Name: fileCheck, Problems: int64(len(found)), Details: found,
		Advice: "stop the server, keep the file, and put a backup in its place; \"sqlite3 FILE .recover\" saves what can be read",
	}}, err
}

// sqliteCheck has SQLite look at every page. What makes it give up is a problem too.
func sqliteCheck(ctx context.Context, pool *sql.DB) ([]string, error) {
	const most = 20
	rows, err := pool.QueryContext(ctx, fmt.Sprintf("PRAGMA integrity_check(%d)", most))
	if err != nil {
		return damage(err)
	}
	defer func() { _ = rows.Close() }()
	var found []string
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, err
		}
		if text != "ok" {
			found = append(found, prose(text, maxError))
		}
	}
	if err := rows.Err(); err != nil {
		more, err := damage(err)
		return append(found, more...), err
	}
	return found, nil
}

// damage returns an error that says that the file is damaged as something found.
func damage(err error) ([]string, error) {
	var e *sqlite.Error
	if errors.As(err, &e) && e.Code()&0xff == sqlite3.SQLITE_CORRUPT {
		return []string{e.Error()}, nil
	}
	return nil, err
}

func (s *Store) checkVersion(context.Context) ([]Check, error) {
	c := Check{Name: versionCheck, Advice: "muster db migrate"}
	if s.version.Now != s.version.Program {
		c.Problems = 1
		c.Details = []string{fmt.Sprintf("the database has version %d, this program %d", s.version.Now, s.version.Program)}
	}
	return []Check{c}, nil
}

func (s *Store) checkStatistics(ctx context.Context) ([]Check, error) {
	series := Check{
		Name:   "every statistic has its series",
		Advice: "no view shows them, and nobody knows what they are of: DELETE FROM statistics WHERE series_id NOT IN (SELECT id FROM series)",
	}
	sweeps := Check{
		Name:   "every statistic has its sweep",
		Advice: "the view samples does not show them; those older than the database keeps go with muster db prune",
	}
	err := s.pool.QueryRowContext(ctx, "SELECT coalesce(sum(CASE WHEN s.id IS NULL THEN 1 ELSE 0 END), 0),"+
		" coalesce(sum(CASE WHEN w.sweep_time IS NULL THEN 1 ELSE 0 END), 0) FROM statistics st"+
		" LEFT JOIN series s ON s.id = st.series_id LEFT JOIN sweeps w ON w.sweep_time = st.sweep_time").
		Scan(&series.Problems, &sweeps.Problems)
	return []Check{series, sweeps}, err
}

func (s *Store) checkVisits(ctx context.Context) ([]Check, error) {
	hosts := Check{
		Name:   "every visit has its host",
		Advice: "muster status does not show them; the next visit to the host puts it right",
	}
	sweeps := Check{
		Name:   "every visit has its sweep",
		Advice: "those older than the database keeps go with muster db prune",
	}
	// A visit that did not take place is no news of its host, which may never have been visited.
	err := s.pool.QueryRowContext(ctx, "SELECT coalesce(sum(CASE WHEN h.name IS NULL AND v.outcome <> 'skipped' THEN 1 ELSE 0 END), 0),"+
		" coalesce(sum(CASE WHEN w.sweep_time IS NULL THEN 1 ELSE 0 END), 0) FROM visits v"+
		" LEFT JOIN hosts h ON h.name = v.host LEFT JOIN sweeps w ON w.sweep_time = v.sweep_time").
		Scan(&hosts.Problems, &sweeps.Problems)
	return []Check{hosts, sweeps}, err
}

func (s *Store) checkSeries(ctx context.Context) ([]Check, error) {
	c := Check{
		Name:   "every series has the id of its name",
		Advice: "somebody has changed these rows: put them right from a backup",
	}
	rows, err := s.pool.QueryContext(ctx, "SELECT id, host, name, instance, unit FROM series")
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var scratch []byte
	for rows.Next() {
		var row seriesRow
		if err := rows.Scan(&row.ID, &row.Host, &row.Name, &row.Instance, &row.Unit); err != nil {
			return nil, err
		}
		var id seriesID
		if id, scratch = identify(&row, scratch); id.id == row.ID {
			continue
		}
		const most = 20
		if c.Problems++; c.Problems <= most {
			c.Details = append(c.Details, fmt.Sprintf("%d is called %s of %q, instance %q", row.ID, row.Name, row.Host, row.Instance))
		}
	}
	return []Check{c}, rows.Err()
}

// checkLogs looks at what SaveLogs writes together.
func (s *Store) checkLogs(ctx context.Context) ([]Check, error) {
	cursors := Check{
		Name:   "no log record is beyond the cursor of its channel",
		Advice: "some rows were restored and others not: the server knows by its queue how far it has read",
	}
	sequence := Check{
		Name:   "log_sequence is beyond every log record and gap",
		Advice: "until it is, new records are taken for old ones: UPDATE log_sequence SET last = the largest id of logs and log_gaps",
	}
	err := s.pool.QueryRowContext(ctx, "SELECT coalesce(sum(CASE WHEN coalesce(l.last, 0) > c.record_id THEN 1 ELSE 0 END), 0) FROM cursors c"+
		" JOIN (SELECT host, channel, epoch, max(record_id) AS last FROM logs GROUP BY host, channel, epoch) l"+
		" ON l.host = c.host AND l.channel = c.channel AND l.epoch = c.epoch").Scan(&cursors.Problems)
	if err != nil {
		return nil, err
	}
	err = s.pool.QueryRowContext(ctx, "SELECT (SELECT count(*) FROM logs WHERE id > q.last) + (SELECT count(*) FROM log_gaps WHERE id > q.last)"+
		" FROM (SELECT coalesce(max(last), 0) AS last FROM log_sequence) q").Scan(&sequence.Problems)
	return []Check{cursors, sequence}, err
}
