package store

import (
	"time"

	"gorm.io/gorm"

	"muster/internal/report"
)

// readRecords reads a page of records. more says that there are more to read after the last of them.
func readRecords(a *logArm, db *gorm.DB, w where) (items []logItem, more bool, err error) {
	columns := "id, host, channel, epoch, record_id, time, sweep_time, level, event_id, source, computer, user_name, process," +
		" keywords, logon, account, address, altered, message, data"
	if a.reader.query.Raw {
		columns += ", raw"
	}
	rows, err := db.Table(a.table).Select(columns).Where(w.sql(), w.values...).Order(a.order()).Limit(a.reader.page.rows).Rows()
	if err != nil {
		return nil, false, err
	}
	defer func() { _ = rows.Close() }()
	size := 0
	for size < a.reader.page.bytes && rows.Next() {
		var row logRow
		into := []any{
			&row.ID, &row.Host, &row.Channel, &row.Epoch, &row.RecordID, &row.Time, &row.SweepTime, &row.Level, &row.EventID,
			&row.Source, &row.Computer, &row.UserName, &row.Process, &row.Keywords, &row.Logon, &row.Account, &row.Address,
			&row.Altered, &row.Message, &row.Data,
		}
		if a.reader.query.Raw {
			into = append(into, &row.Raw)
		}
		if err := rows.Scan(into...); err != nil {
			return nil, false, err
		}
		size += len(row.Message) + 2*len(row.Data) + len(row.Raw) + 1<<10
		items = append(items, logItem{logPlace{row.Time.UTC(), row.ID}, row.line()})
	}
	if err := rows.Err(); err != nil {
		return nil, false, err
	}
	return items, len(items) == a.reader.page.rows || size >= a.reader.page.bytes, nil
}

func (row *logRow) line() LogLine {
	data, err := decodeFields(row.Data)
	if err != nil {
		// Somebody has changed the row: it is shown all the same.
		data = []report.Field{{Value: row.Data}}
	}
	return LogLine{
		Position: row.ID, Host: row.Host, Channel: row.Channel, Epoch: row.Epoch, Sweep: time.UnixMilli(row.SweepTime).UTC(),
		Record: &LogRecord{
			Record: report.Record{
				ID: row.RecordID, Time: row.Time.UTC(), Level: report.Level(row.Level), Event: row.EventID, Source: row.Source,
				Computer: row.Computer, User: row.UserName, Process: row.Process, Keywords: row.Keywords, Message: row.Message,
				Data: data, Raw: row.Raw, Altered: row.Altered,
			},
			Logon: Logon{Outcome: row.Logon, Account: row.Account, Address: row.Address},
		},
	}
}

// readPlaces reads where records are.
func readPlaces(a *logArm, db *gorm.DB, w where) (items []logItem, more bool, err error) {
	var places []struct {
		ID   int64
		Time time.Time
	}
	err = db.Table(a.table).Select("id, time").Where(w.sql(), w.values...).Order(a.order()).Limit(a.reader.page.rows).Scan(&places).Error
	if err != nil {
		return nil, false, err
	}
	items = make([]logItem, len(places))
	for i, p := range places {
		items[i].place = logPlace{p.Time.UTC(), p.ID}
	}
	return items, len(items) == a.reader.page.rows, nil
}

// readGaps reads a page of gaps.
func readGaps(a *logArm, db *gorm.DB, w where) (items []logItem, more bool, err error) {
	var rows []gapRow
	if err := db.Where(w.sql(), w.values...).Order(a.order()).Limit(a.reader.page.rows).Find(&rows).Error; err != nil {
		return nil, false, err
	}
	items = make([]logItem, len(rows))
	for i := range rows {
		row := &rows[i]
		gap := LogGap{
			Gap:   report.Gap{Epoch: row.Epoch, First: row.FirstID, Possible: row.Possible, Reason: row.Reason},
			Found: row.Found.UTC(),
		}
		if row.LastID != nil {
			gap.Last = *row.LastID
		}
		items[i] = logItem{logPlace{row.Found.UTC(), row.ID}, LogLine{
			Position: row.ID, Host: row.Host, Channel: row.Channel, Epoch: row.Epoch, Sweep: time.UnixMilli(row.SweepTime).UTC(), Gap: &gap,
		}}
	}
	return items, len(rows) == a.reader.page.rows, nil
}
