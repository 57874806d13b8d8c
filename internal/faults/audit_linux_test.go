package faults_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"time"

	"muster/internal/faults"
)

const (
	sigkill = syscall.SIGKILL
	healthy = 90 * time.Second // until every host is visited again, when nothing is broken any more
)

// audit reads the log, the database, the mails and the hosts, and balances all books.
func (b *bench) audit(ctx context.Context, gauges []faults.Gauge) ([]faults.Balance, error) {
	text, err := b.server.Since(0)
	if err != nil {
		return nil, err
	}
	journal, err := faults.ReadJournal(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	stored, err := readRows(ctx, b.db)
	if err != nil {
		return nil, fmt.Errorf("read the database: %w", err)
	}
	letters, err := b.letters()
	if err != nil {
		return nil, err
	}
	books, err := b.books(journal, stored, letters, gauges)
	if err != nil {
		return nil, err
	}
	balances := make([]faults.Balance, len(books))
	for i, book := range books {
		balances[i] = book.Balance()
	}
	return balances, nil
}

// known is what is known of the server's clock, until now.
func (b *bench) known() faults.Clock {
	b.mu.Lock()
	defer b.mu.Unlock()
	clock := b.span
	clock.Run.To = time.Now().Add(time.Minute)
	clock.Jumps = slices.Clone(b.span.Jumps)
	return clock
}

// books looks at the hosts, and returns the books of all that was read.
func (b *bench) books(journal faults.Journal, stored rows, letters []faults.Letter, gauges []faults.Gauge) ([]faults.Book, error) {
	clock := b.known()
	visits := faults.Visits{Acks: journal.Acks, Rows: stored.visits, Alone: stored.alone, Handed: make(map[string]int)}
	remains := faults.Remains{Hosts: len(b.hosts)}
	records := faults.Records{
		Rows: stored.records, Gaps: stored.gaps, Written: make(map[string]int), Cleared: make(map[string][]faults.Lines),
	}
	bursts := faults.Bursts{
		Above: burstLimit, Limits: make(map[string]string), Rows: stored.records, Alerts: stored.alerts, Visits: stored.visits,
		Clock: clock,
	}
	receivers := map[string]string{liarName + "@bench.test": liarName}
	mailed := faults.Mailed{
		Letters: letters, Hosts: receivers, Rows: stored.records, Marked: make(map[string][]int), Kept: recordsKept,
	}
	for _, h := range b.hosts {
		visits.Handed[h.name] = h.handed()
		log := h.log.account()
		records.Written[h.name], records.Cleared[h.name], mailed.Marked[h.name] = log.written, log.cleared, log.marked
		bursts.Bursts, bursts.Limits[h.name] = append(bursts.Bursts, log.bursts...), h.log.instance()
		receivers[h.name+"@bench.test"] = h.name
		files, running, err := h.left()
		if err != nil {
			return nil, err
		}
		remains.Files, remains.Processes = append(remains.Files, files...), append(remains.Processes, running...)
	}
	limited := []string{faults.VisitFailed, "processes.count"}
	told := append([]string{faults.LogsMatches, "logs.gaps", "logs.failed"}, limited...)
	return []faults.Book{
		visits,
		faults.Alerts{Visits: stored.visits, Alerts: stored.alerts, Statistics: limited, Clock: clock},
		faults.Letters{Letters: letters, Alerts: stored.alerts, Hosts: receivers, Statistics: told, Clock: clock},
		records,
		bursts,
		mailed,
		faults.Lies{Told: b.liar.Told(), Rows: stored.visits},
		remains,
		faults.Growth{Gauges: gauges, Journal: journal},
	}, nil
}

func (b *bench) letters() ([]faults.Letter, error) {
	var letters []faults.Letter
	for _, m := range b.smtp.Messages(b.t, 0) {
		letter, err := faults.ParseLetter(m.Raw, m.To)
		if err != nil {
			return nil, err
		}
		letters = append(letters, letter)
	}
	return letters, nil
}

func losses(balances []faults.Balance) int {
	n := 0
	for _, b := range balances {
		n += b.Losses()
	}
	return n
}

// await waits until every host was visited successfully n times from now on.
func (b *bench) await(ctx context.Context, n int) error {
	ctx, cancel := context.WithTimeout(ctx, healthy)
	defer cancel()
	return b.server.waitLog(ctx, b.server.Mark(), func(text []byte) bool {
		journal, err := faults.ReadJournal(bytes.NewReader(text))
		if err != nil {
			return false
		}
		good := make(map[string]int)
		for _, a := range journal.Acks {
			if a.Statistics >= 0 {
				good[a.Host]++
			}
		}
		for _, h := range b.hosts {
			if good[h.name] < n {
				return false
			}
		}
		return true
	})
}

// atRest returns how many files a server process has open when no visit is under way: the least of some seconds.
func (b *bench) atRest(ctx context.Context, life *incarnation) int {
	least := 0
	for end := time.Now().Add(1500 * time.Millisecond); time.Now().Before(end); {
		if n := descriptors(life.command.Process.Pid); least == 0 || n < least {
			least = n
		}
		if !pause(ctx, 5*time.Millisecond) {
			break
		}
	}
	return least
}

// settled returns the process that runs, when it has visited every host twice. One that met the last of the faults while it
// started, a full disk for one, may end still.
func (b *bench) settled(ctx context.Context) (*incarnation, error) {
	for {
		life, err := b.server.Await(ctx)
		if err != nil {
			return nil, err
		}
		if err := b.await(ctx, 2); err != nil || !life.over() {
			return life, err
		}
	}
}

// endure has one server process live through faults of everything else, and compares what it holds before and after.
func (b *bench) endure(ctx context.Context) ([]faults.Gauge, error) {
	life, err := b.settled(ctx)
	if err != nil {
		return nil, fmt.Errorf("after the storm: %w", err)
	}
	before := b.atRest(ctx, life)
	b.storm(ctx, b.o.Seed+1, b.others(), 0, b.o.Endure)
	if err := b.await(ctx, 2); err != nil {
		return nil, fmt.Errorf("after what one server was to endure: %w", err)
	}
	after := b.atRest(ctx, life)
	if life.over() {
		return nil, fmt.Errorf("the server ended by itself: %v", life.command.ProcessState)
	}
	ctx, cancel := context.WithTimeout(ctx, 3*healthy)
	defer cancel()
	gauges := []faults.Gauge{{Name: "descriptors", Before: before, After: after, Slack: 6}}
	old, err := b.server.Goroutines(ctx, life)
	unlisted := err
	if err != nil && !errors.Is(err, errNoList) {
		return nil, err
	}
	// What a killed server left on a host is removed by the next client that runs there, once it is old.
	for _, h := range b.hosts {
		if err := h.age(); err != nil {
			return nil, err
		}
	}
	for {
		if life, err = b.server.Await(ctx); err != nil {
			return nil, err
		}
		if err := b.await(ctx, 2); err != nil {
			return nil, err
		}
		if unlisted != nil {
			b.say("of the server that endured: %v", unlisted)
			return gauges, nil
		}
		fresh, err := b.server.Goroutines(ctx, life)
		switch {
		case err == nil:
			return append(gauges, faults.Gauge{
				Name: "goroutines, a fresh server's and that of one that endured", Before: fresh, After: old, Slack: 15,
			}), nil
		case !errors.Is(err, errNoList):
			return nil, err
		}
	}
}

// settle waits until the books balance, or patience is at its end, and returns what they came to when the server has ended.
func (b *bench) settle(ctx context.Context, gauges []faults.Gauge, stop func()) ([]faults.Balance, error) {
	b.liar.Repent()
	if err := b.await(ctx, 2); err != nil {
		return nil, err
	}
	end := time.Now().Add(b.o.Patience)
	for {
		if err := b.smtp.Flush(); err != nil {
			return nil, err
		}
		balances, err := b.audit(ctx, gauges)
		if err != nil {
			return nil, err
		}
		// What is under way is not a loss yet: visits of the last second, or their client.
		if losses(balances) == 0 || time.Now().After(end) {
			break
		}
		if !pause(ctx, time.Second) {
			return nil, ctx.Err()
		}
	}
	life, err := b.server.Await(ctx)
	if err != nil {
		return nil, err
	}
	if !b.server.Signal(life, syscall.SIGTERM) {
		return nil, fmt.Errorf("the server did not end on SIGTERM within %s", stopped)
	}
	stop()
	if err := b.smtp.Flush(); err != nil {
		return nil, err
	}
	return b.audit(ctx, gauges)
}

// table is the result as a person reads it.
func (b *bench) table(balances []faults.Balance) string {
	var text strings.Builder
	if err := faults.WriteTable(&text, b.Injected(), balances); err != nil {
		return err.Error()
	}
	return text.String()
}
