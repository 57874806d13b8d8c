package store

import "time"

// Forecast is how a database will grow if everything stays as it was in the days of a Usage.
type Forecast struct {
	RowsPerDay  int64
	BytesPerDay int64     // -1: not known
	Reached     time.Time // when what is oldest will be old enough to be deleted; zero: never, or there is nothing yet
	Bytes       int64     // what the database will take then; -1: not known, or never
}

// Forecast says how the database will grow. keep is how long rows are kept; 0: for ever.
func (u *Usage) Forecast(now time.Time, keep time.Duration) Forecast {
	f := Forecast{Bytes: -1}
	statistics, visits, logs := u.table("statistics"), u.table("visits"), u.table("logs")
	oldest := statistics.Oldest
	if oldest.IsZero() || !visits.Oldest.IsZero() && visits.Oldest.Before(oldest) {
		oldest = visits.Oldest
	}
	if oldest.IsZero() || len(u.Days) == 0 {
		return f
	}
	since := u.Days[0].Day
	if oldest.After(since) {
		since = oldest
	}
	days := max(now.Sub(since), time.Hour).Hours() / 24
	var brought DayUsage
	for _, d := range u.Days {
		brought.Statistics += d.Statistics
		brought.Visits += d.Visits
		brought.Logs += d.Logs
	}
	f.RowsPerDay = int64(float64(brought.Statistics+brought.Visits+brought.Logs) / days)
	perDay := (float64(brought.Statistics)*statistics.rowBytes() + float64(brought.Visits)*visits.rowBytes() +
		float64(brought.Logs)*logs.rowBytes()) / days
	if f.BytesPerDay = int64(perDay); statistics.Bytes < 0 || visits.Bytes < 0 || logs.Bytes < 0 {
		f.BytesPerDay = -1
	}
	if keep <= 0 {
		return f
	}
	f.Reached = oldest.Add(keep)
	if f.BytesPerDay >= 0 {
		grown := u.Bytes - u.Free - statistics.Bytes - visits.Bytes - logs.Bytes
		f.Bytes = max(grown, 0) + int64(perDay*keep.Hours()/24)
	}
	return f
}

// table returns what is known of a table.
func (u *Usage) table(name string) TableUsage {
	for _, t := range u.Tables {
		if t.Name == name {
			return t
		}
	}
	return TableUsage{}
}

// rowBytes returns what a row takes on average.
func (t *TableUsage) rowBytes() float64 {
	if t.Rows == 0 {
		return 0
	}
	return float64(t.Bytes) / float64(t.Rows)
}
