package faults_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"muster/internal/faults"
)

// act spoils what the server has done, as a server would that loses or repeats something.
type act struct {
	name  string
	found []string // accounts that must find it
	do    func(ctx context.Context) error
}

// sabotage carries out one act after the other, and fails the test where the books do not find it: books that can't fail
// say nothing when they balance.
func (b *bench) sabotage(ctx context.Context, before []faults.Balance) {
	b.t.Helper()
	for _, a := range b.acts() {
		if err := a.do(ctx); err != nil {
			b.t.Errorf("%s: %v", a.name, err)
			continue
		}
		after, err := b.audit(ctx, nil)
		if err != nil {
			b.t.Fatal(err)
		}
		for _, title := range a.found {
			if n, more := found(before, title), found(after, title); more <= n {
				b.t.Errorf("%s: the books do not find it as %q: %d losses before, %d after", a.name, title, n, more)
			}
		}
		before = after
	}
}

func found(balances []faults.Balance, title string) int {
	n := 0
	for _, balance := range balances {
		n += len(balance.Account(title).Found)
	}
	return n
}

func (b *bench) acts() []act {
	return []act{
		{"a visit is not stored", []string{faults.NotStored, faults.StatisticsAlone}, b.execute(
			`DELETE FROM visits WHERE outcome = 'ok' AND host = 'h1' ORDER BY sweep_time DESC LIMIT 1`)},
		{"a visit is stored twice", []string{faults.StoredTwice}, b.execute(
			`INSERT INTO visits SELECT sweep_time + 1, host, visit_id, started, seconds, outcome, stage, kind, error, advice,
			address, sent, received, uploaded, stages, source_failures, log FROM visits
			WHERE outcome = 'failed' AND host = 'liar' ORDER BY sweep_time DESC LIMIT 1`)},
		{"a report is stored under two visits", []string{faults.NumberTwice}, b.execute(
			`INSERT INTO visits SELECT sweep_time + 1, host, concat(visit_id, 'x'), started, seconds, outcome, stage, kind, error,
			advice, address, sent, received, uploaded, stages, source_failures, log FROM visits
			WHERE outcome = 'ok' AND host = 'h2' ORDER BY sweep_time DESC LIMIT 1`)},
		{"a value is not stored", []string{faults.StoredInPart}, b.execute(
			`DELETE s FROM statistics s JOIN series r ON r.id = s.series_id
			WHERE r.host = 'h3' AND r.name = 'uptime' AND s.sweep_time = (SELECT max(sweep_time) FROM visits WHERE host = 'h3' AND outcome = 'ok')`)},
		{"a mail is not sent", []string{faults.NotToldOver}, b.spoilMail("OVER", func(path string, _ []byte) error {
			return os.Remove(path)
		})},
		{"a mail is sent again under other names", []string{faults.ToldTwice}, b.spoilMail("EXCEEDED", sendAgain)},
		{"an alert is not stored", []string{faults.NoAlert}, b.loseAlert()},
		{"an alert does not end", []string{faults.StillOpen}, b.execute(
			`UPDATE alerts SET state = 'firing', ended = NULL ORDER BY since LIMIT 1`)},
		{"a file stays on a host", []string{faults.FilesLeft}, func(context.Context) error {
			return os.WriteFile(filepath.Join(b.hosts[0].sshd.Home, ".cache/muster/report-1"), nil, 0o600)
		}},
		{"a log record is not stored", []string{faults.LineLost}, b.execute(`DELETE FROM logs WHERE host = 'h1' ORDER BY id DESC LIMIT 1`)},
		{"a log record is stored twice", []string{faults.LineTwice}, b.execute(
			`UPDATE logs a JOIN (SELECT message FROM logs WHERE host = 'h2' ORDER BY id DESC LIMIT 1) b SET a.message = b.message
			WHERE a.host = 'h2' AND a.id = (SELECT id FROM (SELECT min(id) id FROM logs WHERE host = 'h2') c)`)},
		{"a log record is another", []string{faults.LineUnknown}, b.execute(
			`UPDATE logs SET message = 'record number 1000000' WHERE host = 'h3' ORDER BY id DESC LIMIT 1`)},
		{"gaps are not stored", []string{faults.LineLost}, b.execute(`DELETE FROM log_gaps`)},
		{"a gap is invented", []string{faults.GapInvented}, b.execute(
			`INSERT INTO log_gaps (id, host, channel, epoch, first_id, possible, reason, found, sweep_time)
			SELECT id + 1000000, host, channel, epoch, record_id + 1, 0, 'none', time, sweep_time FROM logs WHERE host = 'h1' ORDER BY id LIMIT 1`)},
		{"a lie is believed", []string{faults.Believed}, b.execute(
			`UPDATE visits SET outcome = 'ok' WHERE outcome = 'failed' AND host = 'liar' ORDER BY sweep_time DESC LIMIT 1`)},
	}
}

// loseAlert deletes an alert of a host that did not report, one that was not open at a time when the clock jumped: the books
// leave those out.
func (b *bench) loseAlert() func(context.Context) error {
	const near = 6 * time.Second
	statement := `DELETE FROM alerts WHERE statistic = 'visit.failed' AND raised IS NOT NULL AND since > ?`
	values := []any{b.span.Run.From}
	for _, jump := range b.span.Jumps {
		statement += ` AND (since > ? OR ended < ?)`
		values = append(values, jump.To.Add(near), jump.From.Add(-near))
	}
	return b.execute(statement+` ORDER BY since LIMIT 1`, values...)
}

// execute changes exactly what a statement names, which must be something.
func (b *bench) execute(statement string, values ...any) func(context.Context) error {
	return func(ctx context.Context) error {
		result, err := b.db.ExecContext(ctx, statement, values...)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return fmt.Errorf("nothing there to spoil: %w", err)
		}
		return nil
	}
}

// spoilMail does something with the last mail that has a section.
func (b *bench) spoilMail(section string, do func(path string, raw []byte) error) func(context.Context) error {
	return func(context.Context) error {
		files, err := filepath.Glob(filepath.Join(b.smtp.Folder(), "mail/new/*"))
		if err != nil {
			return err
		}
		slices.Sort(files)
		for _, path := range slices.Backward(files) {
			raw, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			if strings.Contains(string(raw), "\n"+section+"\n") {
				return do(path, raw)
			}
		}
		return fmt.Errorf("no mail has a section %s", section)
	}
}

// sendAgain repeats a mail under other Message-IDs, more often than alerts can be missing in mails because the clock jumped.
func sendAgain(path string, raw []byte) error {
	at := bytes.Index(raw, []byte("\nMessage-I"))
	from := at + bytes.IndexByte(raw[at:], '<') + 1
	for n := range 5 {
		again := slices.Concat(raw[:from], fmt.Appendf(nil, "again-%d-", n), raw[from:])
		if err := os.WriteFile(fmt.Sprintf("%s.%d", path, n), again, 0o600); err != nil {
			return err
		}
	}
	return nil
}
