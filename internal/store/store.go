package store

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"muster/internal/report"
)

// Options say which database.
type Options struct {
	// URL is sqlite:PATH, mysql://user@host[:port]/name[?parameters] (mariadb:// means the same) or
	// postgres://user@host[:port]/name[?parameters]. It must not hold a password.
	URL      string
	Password string
	Logger   *slog.Logger // nil: nothing is logged

	// AsIs opens a database for looking at it: it is neither created nor migrated. Unless Version says that it has this
	// program's version, nothing but Verify, Backup and Close may be called.
	AsIs bool
}

// Store is the database handler; safe for concurrent use.
type Store struct {
	engine *engine
	pool   *sql.DB
	db     *gorm.DB
	log    *slog.Logger
	known  *knownSeries
	logon  func(channel string, r *report.Record) Logon // logonOf
	turn   chan struct{}                                // holds one token while somebody writes; nil where the engine has many writers

	timeout time.Duration // of one attempt of a transaction, and of one read
	steps   pruneSteps
	reads   logPages
	version Version
}

// transactionTimeout is the timeout of a Store.
const transactionTimeout = time.Minute

// Open connects to the database, creates it if it does not exist, migrates it to the version of this program, and returns
// a store that the caller closes. Several servers may open the same database at once: one migrates, the others wait, for
// five minutes at most.
//
// Errors: ErrURL, ErrDenied, ErrUnavailable, ErrNewer, with AsIs ErrMissing; or ctx's, if that ended first.
func Open(ctx context.Context, o Options) (*Store, error) {
	log := o.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	e, err := newEngine(o, log)
	if err != nil {
		return nil, err
	}
	pool, err := e.open(ctx)
	if err != nil {
		return nil, e.fail(ctx, "connect", err)
	}
	s, err := open(ctx, e, pool, log)
	if err != nil {
		_ = pool.Close()
		return nil, err
	}
	s.logon = logonOf
	return s, nil
}

func open(ctx context.Context, e *engine, pool *sql.DB, log *slog.Logger) (*Store, error) {
	version, err := e.prepare(ctx, pool, log)
	if err != nil {
		return nil, e.fail(ctx, "migrate", err)
	}
	db, err := gorm.Open(e.dialector(pool), &gorm.Config{
		SkipDefaultTransaction: true,
		DisableAutomaticPing:   true,
		Logger:                 logger.Discard, // statements hold data; errors are returned
	})
	if err != nil {
		return nil, e.fail(ctx, "connect", err)
	}
	s := &Store{
		engine: e, pool: pool, db: db, log: log, known: newKnownSeries(knownMax),
		timeout: transactionTimeout, steps: pruneSteps{statistics: 10000, others: 1000},
		reads: logPages{step: logStep, rows: logPage, bytes: logPageBytes}, version: version,
	}
	if e.oneWriter {
		s.turn = make(chan struct{}, 1)
	}
	return s, nil
}

// Close closes the connections. Calls that still run fail.
func (s *Store) Close() error {
	if err := s.pool.Close(); err != nil {
		return fmt.Errorf("close %s: %w", s.engine.place, err)
	}
	return nil
}

// String returns where the database is, for people: its URL without password and parameters.
func (s *Store) String() string { return s.engine.place }

// read returns a handle for queries outside of a transaction, bounded like one; the caller calls cancel when it has the
// rows.
func (s *Store) read(ctx context.Context) (db *gorm.DB, cancel context.CancelFunc) {
	ctx, cancel = context.WithTimeout(ctx, s.timeout)
	return s.db.WithContext(ctx), cancel
}

// transact runs f in a transaction, and again in a new one where the database says that this may help.
func (s *Store) transact(ctx context.Context, doing string, f func(tx *gorm.DB) error) error {
	err := s.engine.retry(ctx, func() error { return s.once(ctx, f) })
	if err != nil {
		return s.engine.fail(ctx, doing, err)
	}
	return nil
}

// once runs f in one transaction. Its error is an overtimeError if there was a connection and it was our turn, but the time
// was too short for what f did.
func (s *Store) once(ctx context.Context, f func(tx *gorm.DB) error) error {
	limited, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	if s.turn != nil {
		select {
		case s.turn <- struct{}{}:
			defer func() { <-s.turn }()
		case <-limited.Done():
			return limited.Err()
		}
	}
	begun := false
	err := s.db.WithContext(limited).Transaction(func(tx *gorm.DB) error {
		begun = true
		return f(tx)
	})
	if err != nil && begun && limited.Err() != nil && ctx.Err() == nil {
		return &overtimeError{limit: s.timeout, err: err}
	}
	return err
}
