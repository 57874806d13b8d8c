package mail

import (
	"crypto/sha256"
	"embed"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"slices"
	"strings"
	"sync"
	texttemplate "text/template"
	"time"

	"muster/internal/report"
)

// ErrEmpty says that a digest has nothing to tell: no mail is to be sent.
var ErrEmpty = errors.New("nothing to tell: no alert was raised, none is over, and there are no log records")

//go:embed templates/digest.txt.tmpl templates/digest.html.tmpl
var templates embed.FS

// Item is one line of a digest: an alert that was raised or that is over.
type Item struct {
	Notice    string // the notice's id; goes into the message's ID
	Host      string
	Groups    string // "web/front"
	Statistic string
	Instance  string
	Unit      string // of Value, as in a report
	Limit     string // as a person reads it: above 90 % for 5m
	Text      string // a failure's words, or why the alert ended; may be empty
	Value     float64
	Since     time.Time // when the limit was first exceeded
	Ended     time.Time // zero for what was raised
}

// Digest is what one receiver is told of one sweep.
type Digest struct {
	To            string
	Sweep         time.Time // the sweep's scheduled time
	Now           time.Time // when the digest is made: durations end here. Zero: Sweep
	Raised        []Item
	Ended         []Item
	Records       []Record
	Ongoing       int // alerts of this receiver's hosts that were raised before and go on
	Hosts, Failed int // of the sweep
}

// Render makes the mail of a digest, its From left empty. The order of the items in the digest does not matter.
// It returns [ErrEmpty] if there is neither a raised nor an ended item, nor a log record.
func Render(d Digest) (Message, error) {
	if len(d.Raised)+len(d.Ended)+len(d.Records) == 0 {
		return Message{}, ErrEmpty
	}
	if d.Now.IsZero() {
		d.Now = d.Sweep
	}
	d.Raised, d.Ended, d.Records = sorted(d.Raised), sorted(d.Ended), sortedRecords(d.Records)
	p := pageOf(d)
	text, html, err := render(p)
	if err != nil {
		return Message{}, fmt.Errorf("render a mail: %w", err)
	}
	return Message{
		ID:      d.id(),
		Date:    d.Now.UTC(),
		To:      d.To,
		Subject: subject(d),
		Text:    text,
		HTML:    html,
	}, nil
}

// parsed are the templates of a mail, parsed when the first is rendered.
type parsed struct {
	text *texttemplate.Template
	html *htmltemplate.Template
}

var parse = sync.OnceValues(func() (p parsed, err error) {
	if p.text, err = texttemplate.ParseFS(templates, "templates/digest.txt.tmpl"); err == nil {
		p.html, err = htmltemplate.ParseFS(templates, "templates/digest.html.tmpl")
	}
	return p, err
})

// render returns the text and the HTML of a page.
func render(p page) (text, html string, err error) {
	t, err := parse()
	if err != nil {
		return "", "", err
	}
	var b strings.Builder
	if err := t.text.Execute(&b, p); err != nil {
		return "", "", err
	}
	text = strings.TrimRight(b.String(), "\n") + "\n"
	b.Reset()
	err = t.html.Execute(&b, p)
	return text, b.String(), err
}

// id returns "muster-" and 128 bits of a SHA-256 over the receiver, the items and the log records.
func (d *Digest) id() string {
	hash := sha256.New()
	add := func(parts ...string) {
		for _, part := range parts {
			var length [4]byte
			binary.BigEndian.PutUint32(length[:], uint32(len(part)))
			hash.Write(length[:])
			hash.Write([]byte(part))
		}
	}
	add(d.To)
	for _, i := range slices.Concat(d.Raised, d.Ended) {
		add(i.Notice, i.Host, i.Statistic, i.Instance, i.Limit, moment(i.Since), moment(i.Ended))
	}
	for _, r := range d.Records {
		add(r.Notice, r.Host, fmt.Sprint(r.More))
	}
	return "muster-" + hex.EncodeToString(hash.Sum(nil)[:16])
}

func moment(t time.Time) string { return t.UTC().Truncate(time.Microsecond).Format(time.RFC3339Nano) }

// sorted returns the items by statistic, limit, host and instance, hosts that can't be visited first.
func sorted(items []Item) []Item {
	items = slices.Clone(items)
	slices.SortFunc(items, func(a, b Item) int {
		if (a.Statistic == report.VisitFailed) != (b.Statistic == report.VisitFailed) {
			if a.Statistic == report.VisitFailed {
				return -1
			}
			return 1
		}
		for _, pair := range [][2]string{
			{a.Statistic, b.Statistic}, {a.Limit, b.Limit}, {a.Host, b.Host}, {a.Instance, b.Instance}, {a.Notice, b.Notice},
		} {
			if order := strings.Compare(pair[0], pair[1]); order != 0 {
				return order
			}
		}
		return a.Since.Compare(b.Since)
	})
	return items
}
