package outbox

import (
	"slices"
	"time"

	"muster/internal/mail"
)

// MaxRefused is how many refused letters a [State] shows.
const MaxRefused = 20

// State is what there is to know of an outbox at one moment. It is a plain value, the caller's.
type State struct {
	Waiting  int       `json:"waiting"`          // letters
	Oldest   time.Time `json:"oldest,omitzero"`  // when the oldest that waits was made; zero: none waits
	Attempts int       `json:"attempts"`         // that failed in a row: at reaching the server, or the most of any letter that waits
	Error    string    `json:"error,omitempty"`  // of the last of them; empty: what waits was not tried yet, or nothing waits
	Advice   string    `json:"advice,omitempty"` // what a person can do about it
	Again    time.Time `json:"again,omitzero"`   // when the next letter is tried; zero: at once, or none waits
	Unsaved  int       `json:"unsaved"`          // letters of which the outcome is not on disk yet

	Refused      []Refused `json:"refused,omitempty"` // newest first, MaxRefused at most
	RefusedKept  int       `json:"refused_kept"`      // how many there are
	SentTotal    uint64    `json:"sent_total"`        // since New, as are the next two
	RefusedTotal uint64    `json:"refused_total"`
	Retries      uint64    `json:"retries_total"` // attempts after a letter's first
}

// Refused is a letter that is never sent.
type Refused struct {
	To      string    `json:"to"` // empty: its record can't be read
	Sweep   time.Time `json:"sweep"`
	Message string    `json:"message,omitempty"` // left part of its Message-ID
	Subject string    `json:"subject,omitempty"`
	Time    time.Time `json:"time"` // when it was refused
	Error   string    `json:"error"`
	Advice  string    `json:"advice"`
}

// State returns how things stand. It does not block for table or mail server.
func (o *Outbox) State() State {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := State{SentTotal: o.counts.sent, RefusedTotal: o.counts.refused, Retries: o.counts.retries}
	var worst *mail.Error
	for _, l := range o.letters {
		if l.unsaved {
			s.Unsaved++
		}
		if l.State != waits {
			continue
		}
		if s.Waiting == 0 || l.Created.Before(s.Oldest) {
			s.Oldest = l.Created
		}
		if again := later(l.next, o.away.next); s.Waiting == 0 || again.Before(s.Again) {
			s.Again = again
		}
		if l.err != nil && (worst == nil || l.attempts > s.Attempts) {
			s.Attempts, worst = l.attempts, l.err
		}
		s.Waiting++
	}
	if s.Waiting > 0 && o.away.attempts > 0 {
		s.Attempts = o.away.attempts
	}
	if worst != nil {
		s.Error, s.Advice = cut(worst.Error(), maxShown), cut(worst.Help(), maxShown)
	}
	all := o.refused()
	s.RefusedKept = len(all)
	for _, l := range all[:min(len(all), MaxRefused)] {
		s.Refused = append(s.Refused, Refused{
			To: l.To, Sweep: l.Sweep, Message: l.Message, Subject: l.Subject, Time: l.Done, Error: l.Error, Advice: l.Advice,
		})
	}
	return s
}

// refused returns the letters that were refused, newest first. mu is held.
func (o *Outbox) refused() []*letter {
	var all []*letter
	for _, l := range o.letters {
		if l.State == refused {
			all = append(all, l)
		}
	}
	slices.SortFunc(all, func(a, b *letter) int {
		if order := b.Done.Compare(a.Done); order != 0 {
			return order
		}
		return byAge(b, a)
	})
	return all
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
