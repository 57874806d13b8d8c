package store

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"gorm.io/gorm"
)

// Alert is a row of alerts.
type Alert struct {
	ID        string // stable
	Host      string
	Statistic string
	Instance  string
	Direction string // above below
	Unit      string
	Limit     string    // as a person reads it: above 90% for 5m
	State     string    // pending firing resolved
	Since     time.Time // when the limit was first exceeded
	Raised    time.Time // when it began to fire; zero: not yet
	Ended     time.Time // zero: not yet
	Value     float64
	Text      string // a failure's words
	Updated   time.Time
	Notified  string // the state that its receivers were told of last; empty: none yet
}

const (
	firing   = "firing"
	resolved = "resolved"
)

// Alerts returns the alerts that are not resolved, and those that were raised and resolved and whose receivers have not
// been told so, ordered by host and id. The slice is the caller's.
//
// Errors: ErrUnavailable, or ctx's.
func (s *Store) Alerts(ctx context.Context) ([]Alert, error) {
	alerts, err := s.readAlerts(ctx, "state <> ? OR raised IS NOT NULL AND notified <> ?", resolved, resolved)
	if err != nil {
		return nil, s.engine.fail(ctx, "read alerts", err)
	}
	return alerts, nil
}

func (s *Store) readAlerts(ctx context.Context, condition string, values ...any) ([]Alert, error) {
	db, cancel := s.read(ctx)
	defer cancel()
	var rows []alertRow
	if err := db.Where(condition, values...).Order("host, id").Find(&rows).Error; err != nil {
		return nil, err
	}
	alerts := make([]Alert, 0, len(rows))
	for i := range rows {
		alerts = append(alerts, rows[i].alert())
	}
	return alerts, nil
}

// SaveAlerts inserts or updates alerts in one transaction. The last write wins, of several alerts with the same id in one
// call the last of the slice, whatever their Updated says: alerts have one owner, who may have had its clock put back. An
// owner therefore makes one call after the other.
//
// Errors: ErrUnavailable, ctx's, or one that names an alert that can never be stored.
func (s *Store) SaveAlerts(ctx context.Context, alerts []Alert) error {
	if len(alerts) == 0 {
		return nil
	}
	rows, err := alertRows(alerts)
	if err != nil {
		return err
	}
	u := upsert{engine: s.engine, table: "alerts", key: "id"}
	u.replace("host", "statistic", "instance", "direction", "unit", "limit_text", "state", "since", "raised", "ended", "value",
		"message", "notified", "updated")
	return s.transact(ctx, "save alerts", func(tx *gorm.DB) error {
		for chunk := range slices.Chunk(rows, rowsMax) {
			if err := tx.Clauses(u.clause()).Create(&chunk).Error; err != nil {
				return err
			}
		}
		return nil
	})
}

// alertRows makes rows of alerts, ordered by their ids; of several with the same id the last, as PostgreSQL does not
// update a row twice in one statement.
func alertRows(alerts []Alert) ([]alertRow, error) {
	rows := make(map[string]alertRow, len(alerts))
	for i := range alerts {
		a := &alerts[i]
		switch {
		case a.ID == "":
			return nil, fmt.Errorf("an alert of host %q has no id", a.Host)
		case !storable(a.Since) || !storable(a.Updated):
			return nil, fmt.Errorf("alert %q: its times %v and %v can't be stored", a.ID, a.Since, a.Updated)
		case math.IsNaN(a.Value) || math.IsInf(a.Value, 0):
			return nil, fmt.Errorf("alert %q: its value is not a finite number", a.ID)
		}
		row := newAlertRow(a)
		rows[row.ID] = row
	}
	return slices.SortedFunc(maps.Values(rows), func(x, y alertRow) int { return cmp.Compare(x.ID, y.ID) }), nil
}

func newAlertRow(a *Alert) alertRow {
	return alertRow{
		ID:        key(a.ID, maxAlertID),
		Host:      key(a.Host, maxHost),
		Statistic: key(a.Statistic, maxName),
		Instance:  key(a.Instance, maxInstance),
		Direction: key(a.Direction, maxState),
		Unit:      key(a.Unit, maxUnit),
		LimitText: prose(a.Limit, maxLimit),
		State:     key(a.State, maxState),
		Since:     stamp(a.Since),
		Raised:    nullable(a.Raised),
		Ended:     nullable(a.Ended),
		Value:     a.Value,
		Message:   prose(a.Text, maxError),
		Updated:   stamp(a.Updated),
		Notified:  key(a.Notified, maxState),
	}
}

func (r *alertRow) alert() Alert {
	return Alert{
		ID:        r.ID,
		Host:      r.Host,
		Statistic: r.Statistic,
		Instance:  r.Instance,
		Direction: r.Direction,
		Unit:      r.Unit,
		Limit:     r.LimitText,
		State:     r.State,
		Since:     r.Since.UTC(),
		Raised:    fromNullable(r.Raised),
		Ended:     fromNullable(r.Ended),
		Value:     r.Value,
		Text:      r.Message,
		Updated:   r.Updated.UTC(),
		Notified:  r.Notified,
	}
}
