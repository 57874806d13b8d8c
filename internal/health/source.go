package health

import (
	"context"
	"time"
)

// Source knows what is to be asked for when somebody looks.
type Source interface {
	// Facts returns how things stand now. It is called for every scrape and every question, from several goroutines at
	// once, and must return soon: it may ask the queue, but not the database or the mail server. Counts of what has
	// happened are since the process started and never go down. With an error the facts are not looked at.
	Facts(ctx context.Context) (Facts, error)
}

// Facts is how things stand outside of the visits.
type Facts struct {
	Queue       Queue    `json:"queue"`
	Database    Database `json:"database"`
	Mail        Mail     `json:"mail"`
	Alerts      Alerts   `json:"alerts"`
	Logs        Logs     `json:"logs"`
	Connections int      `json:"connections"` // SSH connections that are open
}

// Queue is the state of the durable queue.
type Queue struct {
	Bytes       int64      `json:"bytes"`              // on disk
	Limit       int64      `json:"limit"`              // at which new reports are refused; 0: none
	Refusing    string     `json:"refusing,omitempty"` // why new reports are refused; empty: they are taken
	Refused     uint64     `json:"refused"`            // reports that were refused
	DeadLetters int64      `json:"dead_letters"`       // reports put aside because they can't be handled
	Consumers   []Consumer `json:"consumers"`
}

// Consumer is a reader of the queue. Name is one of a few fixed words (store, alert), never something from outside.
type Consumer struct {
	Name    string    `json:"name"`
	Waiting int64     `json:"waiting"`         // messages it has not acknowledged
	Bytes   int64     `json:"bytes"`           // their size; 0 where it is not known
	Oldest  time.Time `json:"oldest,omitzero"` // when the oldest of them was put there; zero: none waits
}

// Database is what is known of the database without asking it.
type Database struct {
	AwaySince time.Time `json:"away_since,omitzero"` // since when it can't be used; zero: it can
	Reason    string    `json:"reason,omitempty"`    // why it can't
	Rows      uint64    `json:"rows"`                // inserted
	Batches   uint64    `json:"batches"`             // transactions committed
}

// Mail is the state of the outbox.
type Mail struct {
	Sent    uint64    `json:"sent"`
	Retried uint64    `json:"retried"` // attempts that failed and are repeated
	Refused uint64    `json:"refused"` // mails refused for good
	Waiting int       `json:"waiting"`
	Oldest  time.Time `json:"oldest,omitzero"` // since when the oldest of them waits; zero: none does
}

// Alerts is how many limits are exceeded.
type Alerts struct {
	Firing  int `json:"firing"`
	Pending int `json:"pending"`
}

// Logs is how the reading of the hosts' logs goes.
type Logs struct {
	Records uint64 `json:"records"`             // that were received and kept
	Stored  uint64 `json:"stored"`              // records that went into the database; one that came again counts again
	Behind  int    `json:"hosts_behind"`        // hosts with more to read than was read
	Trouble int    `json:"channels_in_trouble"` // channels that could not be read the last time
	Paused  bool   `json:"paused"`              // no logs are asked for, since the queue is filling up
	// Waiting is of how many hosts logs are not asked for since the database has not said yet where their reading stands;
	// Reason is why it can't be asked, or empty.
	Waiting int    `json:"hosts_waiting"`
	Reason  string `json:"waiting_reason,omitempty"`
}
