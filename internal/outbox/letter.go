package outbox

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"muster/internal/mail"
)

// MaxLetter is the most that a letter takes in the table, in bytes: less than the mebibyte that message systems take by
// default. A mail that would take more is sent without its HTML, and refused if its text alone is more, which only a
// receiver's address of such a length can do.
const MaxLetter = 768 << 10

// version is that of the records in the table.
const version = 1

// The states of a letter, as they are in the table.
const (
	waits   = "waiting" // to be sent
	sent    = "sent"    // the mail server has taken responsibility
	refused = "refused" // it is never sent
)

// record is a letter as it is in the table: JSON under the letter's key. What only sending needs, and the state after
// that, are left out where they have no value.
type record struct {
	Version int       `json:"version"`
	State   string    `json:"state"`
	To      string    `json:"to"`
	Sweep   time.Time `json:"sweep"`   // to the millisecond, UTC
	Message string    `json:"message"` // left part of the Message-ID
	Subject string    `json:"subject"`
	Raised  int       `json:"raised"`            // how many alerts it tells of
	Ended   int       `json:"ended"`             // and how many that are over
	Records int       `json:"records,omitempty"` // and how many log records
	Created time.Time `json:"created"`

	Date time.Time `json:"date,omitzero"`
	Text string    `json:"text,omitempty"`
	HTML string    `json:"html,omitempty"`

	Done   time.Time `json:"done,omitzero"` // when it was sent or refused
	Error  string    `json:"error,omitempty"`
	Advice string    `json:"advice,omitempty"`
}

// letter is a record and what this process knows of it. Its record is changed by Run alone, mu held, and only while it
// waits.
type letter struct {
	key string
	record

	busy    bool // another is being put under its key, or it is being deleted
	unsaved bool // what became of it is not in the table yet

	attempts int         // that the mail server did not accept
	doubt    bool        // one of them it may have accepted
	next     time.Time   // of the process's monotonic clock; zero: at once
	err      *mail.Error // of the last attempt, its own or at reaching the server

	tried   int  // attempts at sending it, those at reaching the server included
	written int  // attempts at writing what became of it
	fresh   bool // refused, and Flush has not said so yet
	foreign bool // its record can't be read: refused, of nobody
}

// keyOf returns a letter's key: 128 bits of the receiver's SHA-256, and the sweep in Unix milliseconds.
func keyOf(to string, sweep time.Time) string {
	hash := sha256.Sum256([]byte(to))
	return hex.EncodeToString(hash[:16]) + "." + strconv.FormatInt(sweep.UnixMilli(), 10)
}

// compose renders a digest. The record is one that waits, or that is refused because it makes no mail; the only error is
// mail.ErrEmpty.
func compose(d mail.Digest, now time.Time) (record, error) {
	r := record{
		Version: version, State: waits, To: d.To, Sweep: time.UnixMilli(d.Sweep.UnixMilli()).UTC(), Created: now.UTC(),
		Raised: len(d.Raised), Ended: len(d.Ended), Records: d.RecordCount(),
	}
	m, err := mail.Render(d)
	switch {
	case errors.Is(err, mail.ErrEmpty):
		return record{}, err
	case err != nil:
		r.refuse(now, err.Error(), "tell the makers of this program")
		return r, nil
	}
	r.Message, r.Subject, r.Date, r.Text, r.HTML = m.ID, m.Subject, m.Date, m.Text, m.HTML
	if r.size() > MaxLetter {
		r.HTML = ""
	}
	if size := r.size(); size > MaxLetter {
		r.To = cut(r.To, maxShown)
		r.refuse(now, fmt.Sprintf("the mail takes %d bytes, and %d can be kept", size, MaxLetter),
			"correct the address in the configuration")
	}
	return r, nil
}

// size returns how many bytes the record takes in the table.
func (r *record) size() int {
	value, err := r.encode()
	if err != nil {
		return 0 // Post reports it
	}
	return len(value)
}

func (r *record) refuse(now time.Time, reason, advice string) {
	r.end(refused, now)
	r.Error, r.Advice = cut(reason, maxShown), cut(advice, maxShown)
}

// end sets what became of the letter, and drops what only sending needs.
func (r *record) end(state string, now time.Time) {
	r.State, r.Done = state, now.UTC()
	r.Date, r.Text, r.HTML = time.Time{}, "", ""
}

// message returns the mail.
func (r *record) message() mail.Message {
	return mail.Message{ID: r.Message, Date: r.Date, To: r.To, Subject: r.Subject, Text: r.Text, HTML: r.HTML}
}

// encode returns the record as it is in the table.
func (r *record) encode() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // it would make HTML longer by half
	if err := e.Encode(r); err != nil {
		return nil, fmt.Errorf("encode a letter: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// decode reads what the table has under a key. Whatever it returns without an error can be sent, or was.
func decode(key string, value []byte) (record, error) {
	if len(value) > MaxLetter {
		return record{}, fmt.Errorf("%d bytes are more than a letter has", len(value))
	}
	var v struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(value, &v); err != nil {
		return record{}, err
	}
	if v.Version != version {
		return record{}, fmt.Errorf("it is of version %d, and this program reads version %d", v.Version, version)
	}
	var r record
	if err := json.Unmarshal(value, &r); err != nil {
		return record{}, err
	}
	switch {
	case r.State != waits && r.State != sent && r.State != refused:
		return record{}, fmt.Errorf("there is no state %q", cut(r.State, 20))
	case keyOf(r.To, r.Sweep) != key:
		return record{}, errors.New("its receiver and sweep are not those of its key")
	case r.State == waits && (r.Message == "" || r.Text == ""):
		return record{}, errors.New("it waits, and has no message")
	}
	return r, nil
}

// unreadable returns what is shown of a record that can't be read. It is dated by its key, so that it is not kept for
// ever by restarts.
func unreadable(key string, err error, now time.Time) record {
	r := record{Version: version, Sweep: now.UTC(), Created: now.UTC()}
	if _, sweep, ok := strings.Cut(key, "."); ok {
		if ms, err := strconv.ParseInt(sweep, 10, 64); err == nil && ms >= 0 && ms < now.UnixMilli() {
			r.Sweep = time.UnixMilli(ms).UTC()
			r.Created = r.Sweep
		}
	}
	r.refuse(r.Created, fmt.Sprintf("the mail was kept under %s and can't be read: %v", cut(key, 60), err),
		"if an older version of muster was started again, start the newer one: it sends the mail")
	return r
}

// byAge orders letters by when they were made.
func byAge(a, b *letter) int {
	return cmp.Or(a.Created.Compare(b.Created), strings.Compare(a.key, b.key))
}

// maxShown is how much of an error or an address is kept to be shown, in bytes.
const maxShown = 1000

// cut shortens a text to at most n bytes and no half characters.
func cut(text string, n int) string {
	if len(text) > n {
		text = text[:n-len("…")]
		for len(text) > 0 && text[len(text)-1] >= 0x80 {
			text = text[:len(text)-1]
		}
		text += "…"
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}
