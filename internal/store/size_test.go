package store

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"
)

func testBigBatch(t *testing.T, x *target) {
	s := x.open(t)
	hosts, each := scaled(2000, 1000), scaled(40, 5) // of either size, each table takes several statements
	save(t, s, fleet(noon(), hosts, each)...)
	want := map[string]int{"hosts": hosts, "series": hosts * each, "sweeps": 1, "visits": hosts, "statistics": hosts * each}
	if got := counts(t, s); !maps.Equal(got, want) {
		t.Errorf("stored %v, want %v", got, want)
	}
	// Σ over hosts i and statistics j of 1000 i + j
	sum := float64(1000*each*hosts*(hosts-1)/2 + hosts*each*(each-1)/2)
	if got := queryOne[float64](t, s, "SELECT sum(value) FROM latest"); got != sum {
		t.Errorf("values add up to %v, want %v", got, sum)
	}
}

func testLongLogs(t *testing.T, x *target) {
	s := x.open(t)
	visits := fleet(noon(), 260, 0) // 17 MB of logs as stored; MariaDB takes 16 MB in a statement
	for i := range visits {
		visits[i].Log = strings.Repeat("'é\\\n", 1<<15) // 160 kB; more than a column takes
	}
	save(t, s, visits...)
	longest := queryOne[int](t, s, "SELECT max(length(log)) FROM visits")
	if n := count(t, s, "visits"); n != 260 || longest > maxLog || longest < maxLog/2 {
		t.Errorf("%d visits are stored, the longest log has %d", n, longest)
	}
}

// slowAbove has every transaction of Save that brings more than so many visits last until its time is over. It returns what
// was attempted: the visits of each transaction.
func slowAbove(t *testing.T, s *Store, most int) (attempts *[]int) {
	t.Helper()
	attempts = new([]int)
	err := s.db.Callback().Create().Before("gorm:create").Register("test:slow", func(tx *gorm.DB) {
		if tx.Statement.Table != "visits" {
			return
		}
		n := tx.Statement.ReflectValue.Len()
		*attempts = append(*attempts, n)
		if n > most {
			<-tx.Statement.Context.Done()
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return attempts
}

// slowly has a store of its own do what some of its transactions are too slow for, each a second and in further stores
// longer, until none but these were: on a machine that stalls others are. It returns the last store and its attempts.
func slowly(t *testing.T, x *target, want []int, prepare func(*Store) *[]int, do func(*Store) error) (*Store, []int) {
	t.Helper()
	for limit := time.Second; ; limit *= 5 {
		s := x.open(t)
		attempts := prepare(s)
		s.timeout = limit
		err := do(s)
		if err == nil && slices.Equal(*attempts, want) || limit > 10*time.Second {
			s.timeout = transactionTimeout
			if err != nil {
				t.Fatal(err)
			}
			return s, *attempts
		}
	}
}

func testHalves(t *testing.T, x *target) {
	want := []int{5, 2, 3, 1, 2}
	s, attempts := slowly(t, x, want, func(s *Store) *[]int {
		save(t, s, fleet(noon(), 1, 1)...) // connects
		return slowAbove(t, s, 2)
	}, func(s *Store) error { return s.Save(t.Context(), fleet(noon().Add(time.Minute), 5, 3)) })
	if !slices.Equal(attempts, want) {
		t.Errorf("the transactions had %v visits, want %v", attempts, want)
	}
	rows := map[string]int{"hosts": 5, "series": 15, "sweeps": 2, "visits": 6, "statistics": 16}
	if got := counts(t, s); !maps.Equal(got, rows) {
		t.Errorf("stored %v, want %v", got, rows)
	}
}

func testNotHalved(t *testing.T, x *target) {
	var log logBuffer
	o := x.fresh(t)
	o.Logger = log.logger()
	s := openStore(t, o)
	save(t, s, fleet(noon(), 1, 1)...)
	s.timeout = 200 * time.Millisecond
	attempts := slowAbove(t, s, 0)
	visits := fleet(noon().Add(time.Minute), 5, 3)

	if err := s.Save(t.Context(), visits[:1]); !errors.Is(err, ErrUnavailable) {
		t.Errorf("a single visit that takes too long: %v, want ErrUnavailable", err)
	}
	if len(*attempts) > 1 {
		t.Errorf("a single visit was attempted %d times", len(*attempts))
	}

	*attempts = nil
	s.timeout = time.Minute
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := s.Save(ctx, visits); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrUnavailable) {
		t.Errorf("when the caller's time is over: %v, want the context's error", err)
	}
	if len(*attempts) > 1 {
		t.Errorf("when the caller's time was over it went on with %v visits", *attempts)
	}

	if s.turn != nil {
		*attempts = nil
		s.timeout = 10 * time.Millisecond
		s.turn <- struct{}{} // somebody else writes
		err := s.Save(t.Context(), visits)
		<-s.turn
		if !errors.Is(err, ErrUnavailable) || len(*attempts) > 0 {
			t.Errorf("while another writes: %v after %v visits, want ErrUnavailable at once", err, *attempts)
		}
	}
	s.timeout = 50 * time.Millisecond
	s.pool.SetMaxOpenConns(1)
	busy, err := s.pool.Conn(t.Context()) // the one there is
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Save(t.Context(), visits); !errors.Is(err, ErrUnavailable) {
		t.Errorf("without a connection: %v, want ErrUnavailable", err)
	}
	if err := busy.Close(); err != nil {
		t.Fatal(err)
	}
	if text := log.String(); strings.Contains(text, "two halves") {
		t.Errorf("visits were halved:\n%s", text)
	}
	if n := count(t, s, "visits"); n != 1 {
		t.Errorf("%d visits are stored, want the 1 of before", n)
	}
}
