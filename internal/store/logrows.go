package store

import (
	"time"

	"muster/internal/report"
)

// The rows of the tables of log records, as the ORM sees them. Times and the sweep's time are as in the other tables.

type logRow struct {
	ID        int64 `gorm:"primaryKey;autoIncrement:false"`
	Host      string
	Channel   string
	Epoch     int64
	RecordID  int64
	Time      time.Time
	SweepTime int64
	Level     string
	EventID   int64
	Source    string
	Computer  string
	UserName  string
	Process   int64
	Keywords  string
	Logon     string
	Account   string
	Address   string
	Altered   bool
	Message   string
	Data      string // JSON: see encodeFields
	Raw       string
}

func (logRow) TableName() string { return "logs" }

type gapRow struct {
	ID        int64 `gorm:"primaryKey;autoIncrement:false"`
	Host      string
	Channel   string
	Epoch     int64
	FirstID   int64
	LastID    *int64 // nil: nobody knows how many there were
	Possible  bool
	Reason    string
	Found     time.Time
	SweepTime int64
}

func (gapRow) TableName() string { return "log_gaps" }

type cursorRow struct {
	Host     string `gorm:"primaryKey"`
	Channel  string `gorm:"primaryKey"`
	Epoch    int64
	RecordID int64
	Position string
	Updated  time.Time
}

func (cursorRow) TableName() string { return "cursors" }

// supersedes says that a cursor takes the place of the one that is stored.
//
// Within an epoch record ids only grow, so that the larger is the later, whatever the clock said. Of two epochs the one with
// the greater number is the later, since the server gives each a greater one than all before. The journal's alone are made of
// its identity, and say nothing: there the time tells at which the server read. One that is more than tardy ahead was read by
// a clock that was ahead, and gives way.
func (c *cursorRow) supersedes(stored *cursorRow) bool {
	switch {
	case c.Epoch == stored.Epoch:
		return c.RecordID > stored.RecordID || c.RecordID == stored.RecordID && c.Updated.After(stored.Updated)
	case c.Channel != report.Journal:
		return c.Epoch > stored.Epoch
	}
	return c.Updated.After(stored.Updated) || c.Updated.Before(stored.Updated.Add(-tardy))
}
