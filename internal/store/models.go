package store

import "time"

// The rows as the ORM sees them. The tables are the migrations' to define; times are UTC and whole microseconds, the
// sweep's time is in milliseconds since 1970-01-01.

type hostRow struct {
	Name           string `gorm:"primaryKey"`
	GroupPath      string
	Address        string
	OS             string
	Arch           string
	Hostname       string
	Client         string
	Visited        time.Time
	VisitSweep     int64
	VisitID        string
	Succeeded      *time.Time
	SucceededSweep *int64
	Removed        *time.Time // from the configuration; nil: it is there
}

func (hostRow) TableName() string { return "hosts" }

type seriesRow struct {
	ID       int64 `gorm:"primaryKey;autoIncrement:false"`
	Host     string
	Name     string
	Instance string
	Unit     string
	Kind     string
}

func (seriesRow) TableName() string { return "series" }

type sweepRow struct {
	SweepTime int64 `gorm:"primaryKey;autoIncrement:false"`
	Started   *time.Time
	Ended     *time.Time
	Hosts     int
	Visited   int
	Failed    int
}

func (sweepRow) TableName() string { return "sweeps" }

type visitRow struct {
	SweepTime      int64  `gorm:"primaryKey;autoIncrement:false"`
	Host           string `gorm:"primaryKey"`
	VisitID        string `gorm:"primaryKey"`
	Started        time.Time
	Seconds        float64
	Outcome        string
	Stage          string
	Kind           string
	Error          string
	Advice         string
	Address        string
	Sent           int64
	Received       int64
	Uploaded       bool
	Stages         string // JSON: seconds by stage
	SourceFailures string // JSON: reasons by source
	Log            string
}

func (visitRow) TableName() string { return "visits" }

type statisticRow struct {
	SweepTime int64 `gorm:"primaryKey;autoIncrement:false"`
	SeriesID  int64 `gorm:"primaryKey;autoIncrement:false"`
	Value     float64
}

func (statisticRow) TableName() string { return "statistics" }

type alertRow struct {
	ID        string `gorm:"primaryKey"`
	Host      string
	Statistic string
	Instance  string
	Direction string
	Unit      string
	LimitText string
	State     string
	Since     time.Time
	Raised    *time.Time
	Ended     *time.Time
	Value     float64
	Message   string
	Updated   time.Time
	Notified  string
}

func (alertRow) TableName() string { return "alerts" }

// stamp is t as it is stored: UTC, in whole microseconds, which is what all engines keep.
func stamp(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// nullable is t as it is stored where it may be missing: a zero time is NULL.
func nullable(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = stamp(t)
	return &t
}

// fromNullable is the reverse of nullable.
func fromNullable(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}
