package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"muster/internal/report"
)

func testLogsHalved(t *testing.T, x *target) {
	a := part("web1", "journal", noon(), 1, 2, lineRecord)
	a.Channels = append(a.Channels, part("web1", "file:/x", noon(), 1, 5, lineRecord).Channels...)
	a.Channels[1].Gaps = []report.Gap{{Epoch: 1, First: 9}}
	want := []int{8, 7, 2, 5, 2, 3, 1}
	s, attempts := slowly(t, x, want, func(s *Store) *[]int {
		saveLogs(t, s, part("other", "journal", noon(), 1, 1, lineRecord)) // connects
		attempts := new([]int)
		err := s.db.Callback().Create().Before("gorm:create").Register("test:slow", func(tx *gorm.DB) {
			if tx.Statement.Table != "logs" {
				return
			}
			n := tx.Statement.ReflectValue.Len()
			*attempts = append(*attempts, n)
			if n > 3 {
				<-tx.Statement.Context.Done()
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		return attempts
	}, func(s *Store) error {
		return s.SaveLogs(t.Context(), []Logs{a, part("web2", "journal", noon(), 1, 1, lineRecord)})
	})
	if !slices.Equal(attempts, want) {
		t.Errorf("the transactions had %v records, want %v", attempts, want)
	}
	records, gaps, cursors := logBooks(t, s)
	if len(records) != 9 || len(gaps) != 1 || len(cursors) != 4 {
		t.Errorf("%d records, %d gaps, %d cursors", len(records), len(gaps), len(cursors))
	}
}

func testLogFollow(t *testing.T, x *target) {
	o := x.fresh(t)
	s := openStore(t, o)
	const each, size = 15, 7
	position, err := s.LogEnd(t.Context())
	if err != nil || position != 1 {
		t.Fatal(position, err)
	}
	var saving sync.WaitGroup
	for i := range 2 {
		writer := openStore(t, o)
		if err := writer.db.Callback().Create().After("gorm:create").Register("test:yield", func(tx *gorm.DB) {
			if i == 0 {
				_ = wait(tx.Statement.Context, time.Millisecond)
			}
		}); err != nil {
			t.Fatal(err)
		}
		saving.Go(func() {
			for j := range each {
				p := part(fmt.Sprint("web", i), "journal", noon().Add(-time.Duration(j)*time.Hour), int64(j*size+1), size, lineRecord)
				p.Channels[0].Gaps = []report.Gap{{Epoch: 1, First: int64(1000 + j)}}
				if err := writer.SaveLogs(t.Context(), []Logs{p}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	over := make(chan struct{})
	go func() { saving.Wait(); close(over) }()
	seen := make(map[int64]int)
	for last := false; ; {
		select {
		case <-over:
			last = true
		default:
		}
		end, err := s.LogEnd(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if end > position {
			for _, l := range read(t, s, LogQuery{After: position, Upto: end, Gaps: true}) {
				if l.Position <= position || l.Position > end {
					t.Errorf("position %d is not after %d and up to %d", l.Position, position, end)
				}
				seen[l.Position]++
			}
		}
		position = end
		if last {
			break
		}
	}
	for p, n := range seen {
		if n != 1 {
			t.Errorf("position %d came %d times", p, n)
		}
	}
	if want := 2 * each * (size + 1); len(seen) != want {
		t.Errorf("%d lines came, want %d", len(seen), want)
	}
}

func testLogsCancelled(t *testing.T, x *target) {
	s := x.open(t)
	saveLogs(t, s, part("web1", "journal", noon(), 1, 5, lineRecord))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	n := 0
	for _, err := range s.Logs(ctx, LogQuery{}) {
		if n++; !errors.Is(err, context.Canceled) || errors.Is(err, ErrUnavailable) {
			t.Errorf("the error is %v", err)
		}
	}
	if n != 1 {
		t.Errorf("%d lines", n)
	}
	for range s.Logs(t.Context(), LogQuery{}) {
		break // whoever takes no more lines gets none
	}
}
