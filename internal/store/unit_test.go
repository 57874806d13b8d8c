package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"

	"muster/internal/report"
)

func TestTextsAreBounded(t *testing.T) {
	for _, s := range weirdTexts() {
		for _, limit := range []int{17, 20, 32, 255, 1000} {
			for name, f := range map[string]struct {
				cut    func(string, int) string
				length func(string) int
			}{"prose": {prose, func(s string) int { return len(s) }}, "key": {key, utf8.RuneCountInString}} {
				got := f.cut(s, limit)
				if f.length(got) > limit || !utf8.ValidString(got) || strings.ContainsRune(got, 0) {
					t.Errorf("%s(%.20q, %d) is %q", name, s, limit, got)
				}
				if c := clean(s); f.length(c) <= limit && got != c {
					t.Errorf("%s(%.20q, %d) is %q, though it would fit", name, s, limit, got)
				}
			}
		}
	}
	long := strings.Repeat("x", 300)
	if key(long+"1", 255) == key(long+"2", 255) {
		t.Error("two keys became one")
	}
	if got := prose("ééé", 6); got != "ééé" {
		t.Errorf("a text that fits became %q", got)
	}
	if got := prose("éééé", 6); got != "é…" {
		t.Errorf("a text that does not fit became %q", got)
	}
}

// A migration that takes long is in the log while it goes on; one that is over in time is not.
func TestLongMigrationIsNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logBuffer
		e := &engine{place: "here", notice: time.Second}
		end := e.noticeAfter(t.Context(), log.logger())
		time.Sleep(e.notice - time.Nanosecond)
		synctest.Wait()
		if log.String() != "" {
			t.Errorf("too early: %s", log.String())
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if !strings.Contains(log.String(), "is being migrated") || !strings.Contains(log.String(), "database=here") {
			t.Errorf("the log is %q", log.String())
		}
		end()
		var none logBuffer
		e.noticeAfter(t.Context(), none.logger())()
		time.Sleep(e.notice)
		synctest.Wait()
		if none.String() != "" {
			t.Errorf("it was over, and still: %s", none.String())
		}
	})
}

func TestVisitChunks(t *testing.T) {
	rows := make([]visitRow, 1000)
	for i := range rows {
		rows[i].VisitID = fmt.Sprint(i)
		if i%3 == 0 {
			rows[i].Log = strings.Repeat("x", maxLog)
		}
	}
	next := 0
	for chunk := range visitChunks(rows) {
		size := 0
		for _, row := range chunk {
			if row.VisitID != fmt.Sprint(next) {
				t.Fatalf("row %s comes where row %d should", row.VisitID, next)
			}
			next++
			size += len(row.Log)
		}
		if len(chunk) == 0 || len(chunk) > rowsMax || size > bytesMax+maxLog {
			t.Errorf("a statement of %d rows has %d bytes", len(chunk), size)
		}
	}
	if next != len(rows) {
		t.Errorf("%d rows came, want %d", next, len(rows))
	}
}

// TestSeriesIDs keeps the ids as they are: databases hold them.
func TestSeriesIDs(t *testing.T) {
	a, _ := identify(&seriesRow{Host: "web1", Name: "disk.usage", Instance: "/var", Unit: "%"}, nil)
	if a.id != wantSeriesID {
		t.Errorf("the id is %d, want %d", a.id, int64(wantSeriesID))
	}
	seen := make(map[seriesID]seriesRow)
	for _, r := range []seriesRow{
		{Host: "a", Name: "bc"}, {Host: "ab", Name: "c"}, {Host: "abc"}, {Name: "abc"}, {Instance: "abc"}, {Unit: "abc"},
		{Host: "a", Name: "b", Instance: "c"}, {Host: "a", Name: "b", Unit: "c"}, {},
	} {
		id, _ := identify(&r, []byte("rubbish"))
		if other, ok := seen[id]; ok {
			t.Errorf("%+v and %+v have the same id", r, other)
		}
		seen[id] = r
	}
	with, _ := identify(&seriesRow{Host: "a", Kind: "gauge"}, nil)
	without, _ := identify(&seriesRow{Host: "a", Kind: "counter"}, nil)
	if with != without {
		t.Error("the kind is part of the id")
	}
}

// wantSeriesID is the beginning of the SHA-256 of 04 "web1" 0a "disk.usage" 04 "/var" 01 "%", as sha256sum has it.
const wantSeriesID = -8914458559297428405

func TestKnownSeries(t *testing.T) {
	k := newKnownSeries(3)
	ids := make([]seriesID, 10)
	for i := range ids {
		ids[i] = seriesID{id: int64(i), check: uint64(i)}
	}
	k.add(ids[:3])
	if !k.has(ids[0]) || !k.has(ids[2]) || k.has(ids[3]) {
		t.Error("it does not know what it was told")
	}
	if k.has(seriesID{id: 1, check: 99}) {
		t.Error("it takes another series for one that it knows")
	}
	k.add(ids[3:5]) // 0, 1, 2 are old now
	if !k.has(ids[0]) {
		t.Error("the old generation is forgotten too early")
	}
	k.add(ids[5:7]) // 0 was used and is kept, 1 and 2 were not
	if !k.has(ids[0]) || k.has(ids[1]) {
		t.Error("what is used must be kept, what is not forgotten")
	}
	if n := len(k.young) + len(k.old); n > 6 {
		t.Errorf("it holds %d, want at most 6", n)
	}
}

// TestCollisionWithinABatch: the later of two series with one id is left out.
func TestCollisionWithinABatch(t *testing.T) {
	mine := seriesRow{Host: "web1", Name: "uptime", Unit: "s"}
	id, _ := identify(&mine, nil)
	b := &batch{series: map[int64]newSeries{id.id: {check: id.check + 1}}}
	b.addStatistics(&visitRow{Host: "web1"}, []report.Statistic{
		{Name: "uptime", Unit: "s", Value: 1}, {Name: "load.1", Unit: "1", Value: 1}, {Name: "load.1", Unit: "1", Value: 2},
	}, newKnownSeries(10), nil)
	if b.collided != 1 || len(b.statistics) != 2 || len(b.series) != 2 {
		t.Errorf("%d collided, %d statistics, %d series; want 1, 2, 2", b.collided, len(b.statistics), len(b.series))
	}
}

// slowConnector never connects.
type slowConnector struct{ driver.Connector }

func (slowConnector) Connect(ctx context.Context) (driver.Conn, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestConnectingIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		_, err := boundedConnector{slowConnector{}}.Connect(t.Context())
		if took := time.Since(start); took != connectTimeout || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("after %v: %v, want that it ends after %v", took, err, connectTimeout)
		}
		if err := testEngine().fail(t.Context(), "connect", err); !errors.Is(err, ErrUnavailable) {
			t.Errorf("%v, want ErrUnavailable", err)
		}
	})
}

// testEngine returns an engine that knows no codes.
func testEngine() *engine {
	return &engine{place: "somewhere", code: func(error) (fault, bool) { return 0, false }}
}

func TestRetry(t *testing.T) {
	e := testEngine()
	e.code = func(err error) (fault, bool) {
		if err.Error() == "deadlock" {
			return contended, true
		}
		return 0, false
	}
	deadlock, broken, wrong := errors.New("deadlock"), fmt.Errorf("read: %w", io.ErrUnexpectedEOF), errors.New("syntax")
	for name, c := range map[string]struct {
		errs  []error
		calls int
		want  error
	}{
		"at once":         {nil, 1, nil},
		"deadlocks":       {[]error{deadlock, deadlock, deadlock}, 4, nil},
		"lost":            {[]error{broken, driver.ErrBadConn}, 3, nil},
		"again and again": {[]error{deadlock, deadlock, deadlock, deadlock, deadlock, deadlock, deadlock}, attempts, deadlock},
		"wrong":           {[]error{wrong}, 1, wrong},
		"late":            {[]error{context.DeadlineExceeded}, 1, context.DeadlineExceeded},
	} {
		synctest.Test(t, func(t *testing.T) {
			start, calls := time.Now(), 0
			err := e.retry(t.Context(), func() error {
				calls++
				if calls <= len(c.errs) {
					return c.errs[calls-1]
				}
				return nil
			})
			if !errors.Is(err, c.want) || calls != c.calls {
				t.Errorf("%s: %d calls, %v; want %d, %v", name, calls, err, c.calls, c.want)
			}
			if took := time.Since(start); took > 2*time.Second || calls > 1 && took == 0 {
				t.Errorf("%s: %d calls took %v", name, calls, took)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		calls := 0
		err := e.retry(ctx, func() error { calls++; return deadlock })
		if calls != 1 || !errors.Is(err, deadlock) {
			t.Errorf("cancelled: %d calls, %v", calls, err)
		}
	})
}

// TestFaults: what each engine's errors mean to the caller.
func TestFaults(t *testing.T) {
	my := func(number uint16) error { return fmt.Errorf("x: %w", &mysql.MySQLError{Number: number, Message: "m"}) }
	pg := func(code string) error { return fmt.Errorf("x: %w", &pgconn.PgError{Code: code, Message: "m"}) }
	for _, c := range []struct {
		code        func(error) (fault, bool)
		err         error
		unavailable bool
		denied      bool
	}{
		{mysqlFault, my(1045), true, true},
		{mysqlFault, my(1044), true, true},
		{mysqlFault, my(1213), true, false},
		{mysqlFault, my(1040), true, false},
		{mysqlFault, my(1290), true, false},
		{mysqlFault, my(1406), false, false}, // data too long
		{mysqlFault, my(1146), false, false}, // no such table
		{mysqlFault, fmt.Errorf("x: %w", mysql.ErrInvalidConn), true, false},
		{mysqlFault, fmt.Errorf("x: %w", driver.ErrBadConn), true, false},
		{postgresFault, pg("28P01"), true, true},
		{postgresFault, pg("42501"), true, true},
		{postgresFault, pg("40P01"), true, false},
		{postgresFault, pg("53100"), true, false},
		{postgresFault, pg("53300"), true, false},
		{postgresFault, pg("57P01"), true, false},
		{postgresFault, pg("22001"), false, false}, // too long
		{postgresFault, pg("42P01"), false, false}, // no such table
		{postgresFault, fmt.Errorf("x: %w", io.EOF), true, false},
		{sqliteFault, &connectError{errors.New("something")}, true, false},
		{sqliteFault, errors.New("something"), false, false},
	} {
		e := testEngine()
		e.code = c.code
		err := e.fail(t.Context(), "test", c.err)
		if errors.Is(err, ErrUnavailable) != c.unavailable || errors.Is(err, ErrDenied) != c.denied || !errors.Is(err, c.err) {
			t.Errorf("%v became %v; want unavailable %v, denied %v", c.err, err, c.unavailable, c.denied)
		}
		if !strings.Contains(err.Error(), "somewhere") || !strings.Contains(err.Error(), "test") {
			t.Errorf("%v does not say where and what", err)
		}
	}
}
