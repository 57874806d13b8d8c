package cli

import (
	"encoding/json"
	"io"
	"time"

	"muster/internal/events"
	"muster/internal/report"
	"muster/internal/store"
)

// jsonLines prints an object a line.
type jsonLines struct {
	encoder *json.Encoder
	lines   int
}

func newJSONLines(w io.Writer) *jsonLines {
	return &jsonLines{encoder: newEncoder(w)}
}

func (j *jsonLines) shown() int { return j.lines }

func (j *jsonLines) print(line *store.LogLine) error {
	j.lines++
	if line.Record == nil {
		return j.encoder.Encode(gapJSONOf(line))
	}
	return j.encoder.Encode(recordJSONOf(line))
}

// recordJSON is a record in JSON. What the record does not say is empty, 0 or null, and not left out.
type recordJSON struct {
	Type        string       `json:"type"` // record
	Position    int64        `json:"position"`
	Host        string       `json:"host"`
	Channel     string       `json:"channel"`
	Epoch       int64        `json:"epoch"`
	ID          int64        `json:"id"`
	Time        time.Time    `json:"time"`
	Sweep       time.Time    `json:"sweep"`
	Level       report.Level `json:"level"`
	Event       int64        `json:"event"`
	Name        string       `json:"name"` // of an event that Muster knows
	Source      string       `json:"source"`
	Computer    string       `json:"computer"`
	User        string       `json:"user"`
	Process     int64        `json:"process"`
	Keywords    string       `json:"keywords"`
	Message     string       `json:"message"`
	Description string       `json:"description"`
	Data        []fieldJSON  `json:"data"`
	Logon       *logonJSON   `json:"logon"`
	Altered     bool         `json:"altered"`
	Raw         *string      `json:"raw,omitempty"` // with --raw
}

type fieldJSON struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type logonJSON struct {
	Outcome string `json:"outcome"`
	Account string `json:"account"`
	Address string `json:"address"`
}

// gapJSON is a gap in JSON.
type gapJSON struct {
	Type     string    `json:"type"` // gap
	Position int64     `json:"position"`
	Host     string    `json:"host"`
	Channel  string    `json:"channel"`
	Epoch    int64     `json:"epoch"`
	First    int64     `json:"first"`
	Last     *int64    `json:"last"` // null: nobody knows
	Possible bool      `json:"possible"`
	Reason   string    `json:"reason"`
	Time     time.Time `json:"time"` // when it was found
	Sweep    time.Time `json:"sweep"`
}

func recordJSONOf(line *store.LogLine) recordJSON {
	r := &line.Record.Record
	known, _ := events.Lookup(r)
	j := recordJSON{
		Type: "record", Position: line.Position, Host: line.Host, Channel: line.Channel, Epoch: line.Epoch, ID: r.ID,
		Time: r.Time.UTC(), Sweep: line.Sweep.UTC(), Level: r.Level, Event: r.Event, Name: known.Name, Source: r.Source,
		Computer: r.Computer, User: r.User, Process: r.Process, Keywords: r.Keywords, Message: r.Message,
		Description: events.Describe(r), Data: make([]fieldJSON, 0, len(r.Data)), Altered: r.Altered,
	}
	for _, f := range r.Data {
		j.Data = append(j.Data, fieldJSON(f))
	}
	if l := line.Record.Logon; l.Outcome != "" {
		j.Logon = &logonJSON{l.Outcome, l.Account, l.Address}
	}
	if r.Raw != "" {
		j.Raw = &r.Raw
	}
	return j
}

func gapJSONOf(line *store.LogLine) gapJSON {
	g := line.Gap
	j := gapJSON{
		Type: "gap", Position: line.Position, Host: line.Host, Channel: line.Channel, Epoch: g.Epoch, First: g.First,
		Possible: g.Possible, Reason: g.Reason, Time: g.Found.UTC(), Sweep: line.Sweep.UTC(),
	}
	if g.Last != 0 {
		j.Last = &g.Last
	}
	return j
}
