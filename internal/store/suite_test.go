package store

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"muster/internal/report"
	"muster/internal/testserver"
)

// Each engine's own test is one line; what all of them must do is in conformance.

func TestSQLite(t *testing.T)     { conformance(t, &target{}) }
func TestMariaDB(t *testing.T)    { conformance(t, &target{server: testserver.MariaDB(t)}) }
func TestPostgreSQL(t *testing.T) { conformance(t, &target{server: testserver.PostgreSQL(t)}) }

func conformance(t *testing.T, x *target) {
	t.Parallel()
	for _, c := range []struct {
		name string
		test func(*testing.T, *target)
	}{
		{"EveryColumnIsStored", testEveryColumn},
		{"SkippedVisitsAreNoNewsOfTheirHost", testSkipped},
		{"FailuresOfOneSourceAreJoined", testSourceFailures},
		{"RepeatedDeliveryIsStoredOnce", testRepeatedDelivery},
		{"NothingOfAFailedTransactionStays", testRollback},
		{"HostsOnlyMoveForward", testHostsForward},
		{"RemovedHosts", testRemovedHosts},
		{"ManyRemovedHosts", testManyRemovedHosts},
		{"MigrationOfHosts", testMigrationOfHosts},
		{"HostsOutliveAClockThatWasAhead", testHostsClock},
		{"SweepsOnlyMoveForward", testSweeps},
		{"InvalidVisitsAreNamed", testInvalidVisits},
		{"NumbersAreExact", testNumbers},
		{"TextsCanNotSpoilABatch", testTexts},
		{"LongestTextsAreExact", testBounds},
		{"NamesAreExact", testNames},
		{"SeriesAreNeverMixed", testCollision},
		{"BigBatch", testBigBatch},
		{"SlowBatchIsHalved", testHalves},
		{"OnlySlowTransactionsAreHalved", testNotHalved},
		{"LongLogs", testLongLogs},
		{"ConcurrentSaves", testConcurrentSaves},
		{"WaitsForOtherWriters", testLockedRow},
		{"CancelledContext", testCancelled},
		{"EveryColumnOfLogRecordsIsStored", testLogColumns},
		{"RepeatedLogRecordsAreStoredOnce", testLogsRepeated},
		{"GapsWiden", testGapsWiden},
		{"CursorsMoveForward", testLogCursors},
		{"CursorsOfNumberedEpochsMoveForward", testNumberedCursors},
		{"CursorsMoveWithTheirRecords", testLogsTogether},
		{"CursorsAreRead", testCursors},
		{"CursorsOfAFleet", testManyCursors},
		{"CursorsThatCanNotBeRead", testCursorsUnread},
		{"InvalidLogsAreNamed", testInvalidLogs},
		{"TextsOfLogRecordsCanNotSpoilABatch", testLogTexts},
		{"NamesOfChannelsAreExact", testLogNames},
		{"TimesOfLogRecords", testLogTimes},
		{"LongLogRecords", testLongRecords},
		{"SlowLogRecordsAreHalved", testLogsHalved},
		{"FollowingLogRecords", testLogFollow},
		{"LogRecordsCancelled", testLogsCancelled},
		{"QueriesOfLogRecords", testLogQueries},
		{"LogRecordsAreFoundByIndexes", testLogPlans},
		{"FailedLogonsAreFoundByTheirIndex", testLogDocs},
		{"Alerts", testAlerts},
		{"LastWriteOfAnAlertWins", testAlertsLastWrite},
		{"InvalidAlertsAreNamed", testInvalidAlerts},
		{"Status", testStatus},
		{"StatusTakesThreeQueries", testStatusQueries},
		{"OpenCreatesAndMigratesOnce", testOpenTwice},
		{"OpenAtOnce", testOpenAtOnce},
		{"OpenDoesNotHang", testLockedVersions},
		{"NewerDatabaseIsRefused", testNewer},
		{"Prune", testPrune},
		{"PruneLogRecords", testPruneLogs},
		{"PruneInSmallSteps", testPruneSteps},
		{"PruneFollowsTheKeys", testPrunePlans},
		{"PruneCancelled", testPruneCancelled},
		{"PruneLetsOthersWrite", testPruneBesideOthers},
		{"PruneWhileSaving", testPruneWhileSaving},
		{"Usage", testUsage},
		{"UsageOfMuch", testUsageOfMuch},
		{"UsageOfGaps", testUsageOfGaps},
		{"Verify", testVerify},
		{"Backup", testBackup},
		{"OpenAsIs", testAsIs},
		{"ProbeLeavesNothing", testProbe},
		{"ProbeFailsWithoutATable", testProbeFails},
		{"ProbeBelievesARefusal", testProbeRefusal},
		{"ProbeWithoutAServer", testProbeAway},
		{"QueriesOfTheDocs", testDocs},
		{"WrongPassword", testWrongPassword},
		{"ClosedPort", testClosedPort},
		{"Outage", testOutage}, // last: it stops the server
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, x) })
	}
}

// target is an engine to test, and where databases of it can be had.
type target struct {
	server *testserver.Database // nil: SQLite, in files
	count  int
}

// scaled returns how many of something a test writes: n, or less under the race detector, in which SQLite, being Go, takes
// some thirty times as long, and what the other engines need of Go twice as long.
func scaled(n, race int) int {
	if raceDetector {
		return race
	}
	return n
}

// fresh returns options for a database that does not exist yet.
func (x *target) fresh(t testing.TB) Options {
	t.Helper()
	x.count++
	o := Options{Logger: slog.New(slog.NewTextHandler(t.Output(), nil))}
	if x.server == nil {
		o.URL = "sqlite:" + filepath.Join(t.TempDir(), "data", "muster.db")
		return o
	}
	o.URL = x.server.Named(fmt.Sprintf("muster_%d", x.count))
	o.Password = x.server.Password
	return o
}

// rightsOf has statements make a user "least" with all rights on the database least_own and none elsewhere, checks that it can
// do with that, and returns the options with which it opens a database.
func (x *target) rightsOf(t *testing.T, statements ...string) (as func(database string) Options) {
	t.Helper()
	admin := x.open(t)
	for _, statement := range statements {
		if err := admin.db.Exec(statement).Error; err != nil {
			t.Fatal(err)
		}
	}
	as = func(database string) Options {
		return Options{URL: strings.Replace(x.server.Named(database), "muster@", "least@", 1), Password: "pw"}
	}
	save(t, openStore(t, as("least_own")), fleet(noon(), 1, 1)...)
	if _, err := Open(t.Context(), as("least_other")); !errors.Is(err, ErrDenied) {
		t.Errorf("a database that the user may not create: %v, want ErrDenied", err)
	}
	return as
}

// needsServer skips what has no meaning for a file.
func (x *target) needsServer(t *testing.T) {
	t.Helper()
	if x.server == nil {
		t.Skip("a file has no server")
	}
}

// open returns a store on a new database.
func (x *target) open(t testing.TB) *Store {
	t.Helper()
	return openStore(t, x.fresh(t))
}

func openStore(t testing.TB, o Options) *Store {
	t.Helper()
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func save(t testing.TB, s *Store, visits ...Visit) {
	t.Helper()
	if err := s.Save(t.Context(), visits); err != nil {
		t.Fatal(err)
	}
}

// count returns how many rows a table has.
func count(t testing.TB, s *Store, table string) int {
	t.Helper()
	return queryOne[int](t, s, "SELECT count(*) FROM "+table)
}

// queryOne returns the one value that a query of the test's own has.
func queryOne[T any](t testing.TB, s *Store, query string) T {
	t.Helper()
	var v T
	if err := s.pool.QueryRowContext(t.Context(), query).Scan(&v); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return v
}

// counts returns how many rows each table that Save writes to has.
func counts(t testing.TB, s *Store) map[string]int {
	t.Helper()
	n := make(map[string]int)
	for _, table := range []string{"hosts", "series", "sweeps", "visits", "statistics"} {
		n[table] = count(t, s, table)
	}
	return n
}

// noon is when the tests' first sweep is.
func noon() time.Time { return time.Date(2025, 3, 1, 12, 0, 0, 0, time.UTC) }

// fleet returns successful visits of one sweep: host0000, host0001, … with the gauges stat.0, stat.1, …
func fleet(sweep time.Time, hosts, statistics int) []Visit {
	visits := make([]Visit, hosts)
	for i := range visits {
		host := fmt.Sprintf("host%04d", i)
		r := &report.Report{Host: host, OS: "linux", Arch: "amd64", Hostname: "machine", Client: "1.0"}
		for j := range statistics {
			r.Statistics = append(r.Statistics, report.Statistic{
				Name: fmt.Sprintf("stat.%d", j), Unit: "1", Kind: report.Gauge, Value: float64(1000*i + j),
			})
		}
		visits[i] = Visit{
			ID: fmt.Sprintf("%s-%d", host, sweep.UnixMilli()), Sweep: sweep, Host: host, Groups: "web/front",
			Address: host + ":22", Started: sweep.Add(time.Second), Took: time.Second,
			Stages: map[string]time.Duration{"dial": time.Millisecond}, Report: r,
		}
	}
	return visits
}

// one returns a successful visit with one statistic.
func one(host string, sweep time.Time, s report.Statistic) Visit {
	return Visit{
		ID: fmt.Sprintf("%s-%d", host, sweep.UnixMilli()), Sweep: sweep, Host: host, Started: sweep.Add(time.Second),
		Report: &report.Report{Host: host, OS: "linux", Arch: "amd64", Statistics: []report.Statistic{s}},
	}
}

// broken returns a failed visit.
func broken(host string, sweep time.Time) Visit {
	return Visit{
		ID: fmt.Sprintf("%s-%d", host, sweep.UnixMilli()), Sweep: sweep, Host: host, Started: sweep.Add(time.Second),
		Stage: "dial", Kind: "refused", Error: "connection refused", Advice: "start sshd",
	}
}

// logBuffer collects what is logged.
type logBuffer struct{ testserver.Buffer }

// logger returns a logger of everything.
func (b *logBuffer) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(b, &slog.HandlerOptions{Level: slog.LevelDebug}))
}
