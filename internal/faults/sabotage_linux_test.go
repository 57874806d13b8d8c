package faults_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"

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
		{"a mail is not sent", []string{faults.NotToldOver}, b.spoilMail(toHost+`\nOVER\n`, func(path string, _ []byte) error {
			return os.Remove(path)
		})},
		{"a mail is sent again under other names", []string{faults.ToldTwice}, b.spoilMail(toHost+`\nEXCEEDED\n`, sendAgain)},
		{"an alert is not stored", []string{faults.NoAlert}, b.loseAlert(faults.VisitFailed, faults.NoAlert)},
		{"an alert does not end", []string{faults.StillOpen}, b.execute(
			`UPDATE alerts SET state = 'firing', ended = NULL ORDER BY since LIMIT 1`)},
		{"an event alert is not stored", []string{faults.BurstUntold}, b.loseAlert(faults.LogsMatches, faults.BurstUntold)},
		{"an event alert comes twice", []string{faults.BurstToldTwice}, b.execute(
			`INSERT INTO alerts SELECT reverse(id), host, statistic, instance, direction, unit, limit_text, state, since, raised, ended,
			value, message, updated, notified FROM alerts WHERE statistic = 'logs.matches' ORDER BY message DESC LIMIT 1`)},
		{"an event alert is of another time", []string{faults.AlertOfNoBurst}, b.execute(
			`UPDATE alerts SET message = concat('2001', substr(message, 5)) WHERE statistic = 'logs.matches' ORDER BY message DESC LIMIT 1`)},
		{"an event alert is of another limit", []string{faults.AlertElsewhere}, b.execute(
			`UPDATE alerts SET instance = 'journal' WHERE statistic = 'logs.matches' ORDER BY message DESC LIMIT 1`)},
		{"a mailed record is another", []string{faults.RecordUnasked, faults.RecordUntold}, b.editRecord("${row}      record number 1\n")},
		{"a record is taken out of a mail", []string{faults.RecordUntold}, b.editRecord("")},
		{"a mail counts records that there are not", []string{faults.CountedWrong}, b.editRecord(
			"${0}Not in this mail: 9 more log records; muster logs shows them.\n")},
		{"a mail with records is sent again under other names", []string{faults.RecordAgain}, b.spoilMail(record, sendAgain)},
		{"a file stays on a host", []string{faults.FilesLeft}, func(context.Context) error {
			return os.WriteFile(filepath.Join(b.hosts[0].sshd.Home, ".cache/muster/report-1"), nil, 0o600)
		}},
		{"a log record is not stored", []string{faults.LineLost}, b.execute(`DELETE FROM logs WHERE host = 'h1' ORDER BY id DESC LIMIT 1`)},
		{"a log record is stored twice", []string{faults.LineTwice}, b.execute(
			`UPDATE logs a JOIN (SELECT message FROM logs WHERE host = 'h2' ORDER BY id DESC LIMIT 1) b SET a.message = b.message
			WHERE a.host = 'h2' AND a.id = (SELECT id FROM (SELECT min(id) id FROM logs WHERE host = 'h2') c)`)},
		{"a log record is another", []string{faults.LineUnknown}, b.execute(
			`UPDATE logs SET message = 'record number 1000000' WHERE host = 'h3' ORDER BY id LIMIT 1`)},
		{"gaps are not stored", []string{faults.LineLost}, b.execute(`DELETE FROM log_gaps`)},
		{"a gap is invented", []string{faults.GapInvented}, b.execute(
			`INSERT INTO log_gaps (id, host, channel, epoch, first_id, last_id, possible, reason, found, sweep_time)
			SELECT id + 1000000, host, channel, epoch, record_id + 1, record_id + 1, 0, 'none', time, sweep_time FROM logs WHERE host = 'h1' ORDER BY id LIMIT 1`)},
		{"a lie is believed", []string{faults.Believed}, b.execute(
			`UPDATE visits SET outcome = 'ok' WHERE outcome = 'failed' AND host = 'liar' ORDER BY sweep_time DESC LIMIT 1`)},
	}
}

// loseAlert deletes an alert of a statistic: one that the books would miss, under a title, which is not every one. They leave out
// what may have been covered by another, or was open when the clock jumped.
func (b *bench) loseAlert(statistic, title string) func(context.Context) error {
	return func(ctx context.Context) error {
		stored, err := readRows(ctx, b.db)
		if err != nil {
			return err
		}
		all, err := b.missing(stored, title)
		if err != nil {
			return err
		}
		for i, a := range stored.alerts {
			if a.Statistic != statistic {
				continue
			}
			without := stored
			without.alerts = slices.Delete(slices.Clone(stored.alerts), i, i+1)
			if n, err := b.missing(without, title); err != nil {
				return err
			} else if n > all {
				return b.execute(`DELETE FROM alerts WHERE id = ?`, a.ID)(ctx)
			}
		}
		return fmt.Errorf("the books would miss none of %d alerts", len(stored.alerts))
	}
}

// missing returns how much the books find under a title in what is stored.
func (b *bench) missing(stored rows, title string) (int, error) {
	books, err := b.books(faults.Journal{}, stored, nil, nil)
	n := 0
	for _, book := range books {
		balance := book.Balance()
		n += len(balance.Account(title).Found)
	}
	return n, err
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

// toHost begins regular expressions that find something in mails to the receivers of hosts.
const toHost = `(?s)\nTo: <h\d+@.*`

// spoilMail does something with the last mail that a regular expression finds something in, of those that came once: of a mail
// that came twice the books read the other copy.
func (b *bench) spoilMail(wanted string, do func(path string, raw []byte) error) func(context.Context) error {
	return func(context.Context) error {
		files, err := filepath.Glob(filepath.Join(b.smtp.Folder(), "mail/new/*"))
		if err != nil {
			return err
		}
		slices.Sort(files)
		mails, came := make([][]byte, len(files)), make(map[string]int)
		for i, path := range files {
			if mails[i], err = os.ReadFile(path); err != nil {
				return err
			}
			came[messageID(mails[i])]++
		}
		for i, raw := range slices.Backward(mails) {
			if came[messageID(raw)] == 1 && regexp.MustCompile(wanted).Match(raw) {
				return do(files[i], raw)
			}
		}
		return fmt.Errorf("no mail that came once has %q", wanted)
	}
}

// messageID returns the line of a mail that names it, without what sendAgain puts there.
func messageID(raw []byte) string {
	id := regexp.MustCompile(`(?mi)^Message-ID:.*$`).Find(raw)
	return string(regexp.MustCompile(`again-\d-`).ReplaceAll(id, nil))
}

// record is one in the text of a mail, not the first nine of a host: its row and, below, what it says.
const record = `(?m)(?P<row>^  h\d+ .*\d\d:\d\d:\d\d.*\n)      ` + faults.Lined + `\d\d+\n`

// editRecord replaces the first record in the last mail that has one; ${row} is its row.
func (b *bench) editRecord(by string) func(context.Context) error {
	return b.spoilMail(record, func(path string, raw []byte) error {
		expression := regexp.MustCompile(record)
		at := expression.FindSubmatchIndex(raw)
		edited := expression.Expand(slices.Clone(raw[:at[0]]), []byte(by), raw, at)
		return os.WriteFile(path, append(edited, raw[at[1]:]...), 0o600)
	})
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
