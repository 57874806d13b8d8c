package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"charm.land/lipgloss/v2"
	"charm.land/lipgloss/v2/table"

	"muster/internal/config"
	"muster/internal/report"
	"muster/internal/store"
)

type dbStatusCommand struct {
	configFlag
	JSON bool `help:"Print JSON."`
	Days int  `default:"7" help:"Days to show; default: 7."`
}

// Help is shown by muster db status --help.
func (dbStatusCommand) Help() string {
	return `Shows how large the database is, its tables with their rows, their bytes and the times of their oldest and newest row,
what each of the last days (UTC) brought, and how large it will be when the oldest rows are old enough to be deleted.
A number after ~ is an estimate: the rows of a large database are not counted, but estimated from some of its sweeps, or by the ids of log records.

Exit status: 0 shown; 2 usage or configuration; 3 the database could not be used.`
}

// dbStatus is what the command shows.
type dbStatus struct {
	place    string
	version  int64
	keep     time.Duration
	now      time.Time
	usage    *store.Usage
	forecast store.Forecast
}

// Run prints the sizes.
func (c dbStatusCommand) Run(ctx context.Context, env Env) error {
	if c.Days < 1 || c.Days > 366 {
		return misuse(errors.New("--days must be from 1 to 366"))
	}
	cfg, err := c.loadSettings()
	if err != nil {
		return err
	}
	database, err := openCurrent(ctx, cfg)
	if err != nil {
		return err
	}
	s := dbStatus{place: database.String(), version: database.Version().Now, keep: cfg.Database.Keep, now: time.Now()}
	s.usage, err = database.Usage(ctx, s.now, c.Days)
	if err := errors.Join(unusable(err), database.Close()); err != nil {
		return err
	}
	s.forecast = s.usage.Forecast(s.now, s.keep)
	if c.JSON {
		return writeJSON(env.Stdout, s.json())
	}
	return s.print(env.Stdout)
}

func (s *dbStatus) print(w io.Writer) error {
	fmt.Fprintf(w, "%s, version %d\n", s.place, s.version)
	fmt.Fprintf(w, "size:    %s", bytesOr(s.usage.Bytes, "?"))
	if s.usage.Free > 0 {
		fmt.Fprintf(w, ", of it %s free for what comes", bytesOr(s.usage.Free, "?"))
	}
	fmt.Fprintf(w, "\ngrowth:  %s\nkept:    %s\n\n", s.growth(), s.kept())

	tables := plainTable("TABLE", "ROWS", "SIZE", "OLDEST", "NEWEST")
	for _, t := range s.usage.Tables {
		tables.Row(t.Name, about(t.Estimated)+grouped(t.Rows), bytesOr(t.Bytes, "-"), minuteOr(t.Oldest, "-"), minuteOr(t.Newest, "-"))
	}
	if _, err := lipgloss.Fprintln(w, trimLines(tables.String())); err != nil {
		return err
	}
	days := plainTable("DAY", "SWEEPS", "STATISTICS", "VISITS", "LOG RECORDS")
	for i, d := range s.usage.Days {
		name := d.Day.Format(time.DateOnly)
		if i == len(s.usage.Days)-1 {
			name += ", so far"
		}
		days.Row(name, grouped(d.Sweeps), about(d.Estimated)+grouped(d.Statistics), about(d.Estimated)+grouped(d.Visits),
			about(d.LogsEstimated)+grouped(d.Logs))
	}
	_, err := lipgloss.Fprintln(w, "\n"+trimLines(days.String()))
	return err
}

// growth says what a day brings.
func (s *dbStatus) growth() string {
	if s.forecast.RowsPerDay == 0 {
		return "none in the days below"
	}
	text := "about " + grouped(s.forecast.RowsPerDay) + " rows"
	if s.forecast.BytesPerDay >= 0 {
		text += " and " + bytesOr(s.forecast.BytesPerDay, "?")
	}
	return text + " a day"
}

// kept says how long rows are kept, and what that comes to.
func (s *dbStatus) kept() string {
	if s.keep == 0 {
		return "for ever; <database keep=\"400d\"/> would bound it"
	}
	text := config.FormatDuration(s.keep)
	switch {
	case s.forecast.Reached.IsZero():
		return text
	case s.forecast.Reached.After(s.now):
		text += "; the oldest is deleted from " + s.forecast.Reached.Local().Format(time.DateOnly) + " on"
	default:
		text += "; what is older is deleted"
	}
	if s.forecast.Bytes >= 0 {
		text += ", at a size of about " + bytesOr(s.forecast.Bytes, "?")
	}
	return text
}

// plainTable returns a table without a frame, its numbers to the right.
func plainTable(headers ...string) *table.Table {
	return table.New().
		Border(lipgloss.NormalBorder()).
		BorderTop(false).BorderBottom(false).BorderLeft(false).BorderRight(false).
		BorderColumn(false).BorderRow(false).
		Headers(headers...).
		StyleFunc(func(row, column int) lipgloss.Style {
			style := lipgloss.NewStyle().PaddingRight(2)
			if column > 0 {
				style = style.AlignHorizontal(lipgloss.Right)
			}
			if row == table.HeaderRow {
				style = style.Bold(true)
			}
			return style
		})
}

func about(estimated bool) string {
	if estimated {
		return "~"
	}
	return ""
}

// bytesOr returns a size, or otherwise where it is not known.
func bytesOr(n int64, otherwise string) string {
	if n < 0 {
		return otherwise
	}
	return report.FormatValue(float64(n), "B")
}

// minuteOr returns a time to the minute, or otherwise where there is none.
func minuteOr(t time.Time, otherwise string) string {
	if t.IsZero() {
		return otherwise
	}
	return t.Local().Format("2006-01-02 15:04")
}

type dbStatusJSON struct {
	Database string        `json:"database"`
	Version  int64         `json:"version"`
	Bytes    int64         `json:"bytes"`
	Free     int64         `json:"free"`
	Keep     *float64      `json:"keep"` // seconds
	Growth   growthJSON    `json:"growth"`
	Tables   []dbTableJSON `json:"tables"`
	Days     []dbDayJSON   `json:"days"`
}

type growthJSON struct {
	Rows    int64      `json:"rows_per_day"`
	Bytes   *int64     `json:"bytes_per_day"`
	Reached *time.Time `json:"keep_reached"`
	Size    *int64     `json:"bytes_then"`
}

type dbTableJSON struct {
	Table     string     `json:"table"`
	Rows      int64      `json:"rows"`
	Estimated bool       `json:"estimated"`
	Bytes     *int64     `json:"bytes"`
	Oldest    *time.Time `json:"oldest"`
	Newest    *time.Time `json:"newest"`
}

type dbDayJSON struct {
	Day        string `json:"day"`
	Sweeps     int64  `json:"sweeps"`
	Statistics int64  `json:"statistics"`
	Visits     int64  `json:"visits"`
	Logs       int64  `json:"logs"`
	Estimated  bool   `json:"estimated"` // any of them
}

func (s *dbStatus) json() dbStatusJSON {
	j := dbStatusJSON{
		Database: s.place, Version: s.version, Bytes: s.usage.Bytes, Free: s.usage.Free,
		Growth: growthJSON{
			Rows: s.forecast.RowsPerDay, Bytes: known(s.forecast.BytesPerDay), Reached: timeOrNil(s.forecast.Reached),
			Size: known(s.forecast.Bytes),
		},
		Tables: []dbTableJSON{}, Days: []dbDayJSON{},
	}
	if s.keep > 0 {
		seconds := s.keep.Seconds()
		j.Keep = &seconds
	}
	for _, t := range s.usage.Tables {
		j.Tables = append(j.Tables, dbTableJSON{t.Name, t.Rows, t.Estimated, known(t.Bytes), timeOrNil(t.Oldest), timeOrNil(t.Newest)})
	}
	for _, d := range s.usage.Days {
		j.Days = append(j.Days, dbDayJSON{d.Day.Format(time.DateOnly), d.Sweeps, d.Statistics, d.Visits, d.Logs, d.Estimated || d.LogsEstimated})
	}
	return j
}

// known returns a number, nil where it is not known.
func known(n int64) *int64 {
	if n < 0 {
		return nil
	}
	return &n
}
