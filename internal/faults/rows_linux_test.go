package faults_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/go-sql-driver/mysql"

	"muster/internal/faults"
	"muster/internal/testserver"
)

// openDatabase connects to the database itself, past the line that is cut.
func openDatabase(d *testserver.Database) (*sql.DB, error) {
	c := mysql.NewConfig()
	c.Net, c.Addr, c.DBName = "tcp", d.Address(), "muster"
	c.User, c.Passwd = "muster", d.Password
	c.ParseTime, c.Loc, c.InterpolateParams = true, time.UTC, true
	c.Timeout, c.ReadTimeout = 5*time.Second, 30*time.Second
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

// rows are what the database holds, as far as the books are concerned.
type rows struct {
	visits []faults.VisitRow
	alerts []faults.AlertRow
	alone  []string

	records []faults.RecordRow
	gaps    []faults.GapRow
}

// reading is a host in a sweep.
type reading struct {
	sweep int64
	host  string
}

func readRows(ctx context.Context, db *sql.DB) (rows, error) {
	var r rows
	tx, err := db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return r, err
	}
	defer func() { _ = tx.Rollback() }()
	statistics := make(map[reading]int)
	err = scan(ctx, tx, `SELECT s.sweep_time, r.host, count(*) FROM statistics s JOIN series r ON r.id = s.series_id
		GROUP BY s.sweep_time, r.host`, func(q *sql.Rows) error {
		var at reading
		var n int
		err := q.Scan(&at.sweep, &at.host, &n)
		statistics[at] = n
		return err
	})
	if err != nil {
		return r, err
	}
	exceeded := make(map[reading]bool)
	err = scan(ctx, tx, fmt.Sprintf(`SELECT s.sweep_time, r.host FROM statistics s JOIN series r ON r.id = s.series_id
		WHERE r.name = 'processes.count' AND s.value > %d`, processLimit), func(q *sql.Rows) error {
		var at reading
		err := q.Scan(&at.sweep, &at.host)
		exceeded[at] = true
		return err
	})
	if err != nil {
		return r, err
	}
	succeeded := make(map[reading]bool)
	err = scan(ctx, tx, `SELECT host, visit_id, sweep_time, started, outcome, kind, log FROM visits`, func(q *sql.Rows) error {
		var v faults.VisitRow
		if err := q.Scan(&v.Host, &v.Visit, &v.Sweep, &v.Started, &v.Outcome, &v.Kind, &v.Log); err != nil {
			return err
		}
		at := reading{v.Sweep, v.Host}
		if v.Outcome == "ok" {
			succeeded[at] = true
			v.Statistics = statistics[at]
			if exceeded[at] {
				v.Exceeded = []string{"processes.count"}
			}
		}
		r.visits = append(r.visits, v)
		return nil
	})
	if err != nil {
		return r, err
	}
	for at, n := range statistics {
		if !succeeded[at] {
			r.alone = append(r.alone, fmt.Sprintf("%s, sweep %d: %d statistics", at.host, at.sweep, n))
		}
	}
	err = scan(ctx, tx, `SELECT id, host, statistic, instance, state, message, since, raised, ended FROM alerts`, func(q *sql.Rows) error {
		var a faults.AlertRow
		var raised, ended sql.NullTime
		err := q.Scan(&a.ID, &a.Host, &a.Statistic, &a.Instance, &a.State, &a.Text, &a.Since, &raised, &ended)
		a.Raised, a.Ended = raised.Time, ended.Time
		r.alerts = append(r.alerts, a)
		return err
	})
	return r, errors.Join(err, r.readRecords(ctx, tx))
}

func (r *rows) readRecords(ctx context.Context, tx *sql.Tx) error {
	err := scan(ctx, tx, `SELECT host, epoch, record_id, message FROM logs`, func(q *sql.Rows) error {
		var row faults.RecordRow
		var message string
		err := q.Scan(&row.Host, &row.Epoch, &row.ID, &message)
		row.Line = faults.LineOf(message)
		r.records = append(r.records, row)
		return err
	})
	if err != nil {
		return err
	}
	return scan(ctx, tx, `SELECT host, epoch, first_id, coalesce(last_id, 0) FROM log_gaps`, func(q *sql.Rows) error {
		var gap faults.GapRow
		err := q.Scan(&gap.Host, &gap.Epoch, &gap.First, &gap.Last)
		r.gaps = append(r.gaps, gap)
		return err
	})
}

func scan(ctx context.Context, tx *sql.Tx, query string, each func(*sql.Rows) error) error {
	q, err := tx.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer q.Close()
	for q.Next() {
		if err := each(q); err != nil {
			return errors.Join(err, q.Close())
		}
	}
	return q.Err()
}
