package report

import (
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"strings"
	"time"
	"unicode/utf8"
)

// Bounds of a report. They are far above what an honest host sends, and below what would hurt the server. The lengths
// are in characters, as a database counts them.
const (
	MaxDocument   = 4 << 20 // bytes of the XML
	MaxStatistics = 20_000
	MaxFailures   = 1_000
	MaxName       = 100  // of a statistic or a source
	MaxInstance   = 255  // of a statistic
	MaxUnit       = 20   // of a statistic
	MaxText       = 255  // of visit, host, client, os, arch and hostname
	MaxReason     = 1000 // of a failure
)

// ErrTooLarge is what errors wrap that refuse a document or a frame for its size.
var ErrTooLarge = errors.New("larger than allowed")

// Clean makes a statistic sendable. In its instance NUL is removed; control characters, characters that turn the
// direction of writing, and invalid UTF-8 are replaced by U+FFFD; what is longer than MaxInstance is cut and given a
// hash of the whole, so that two long ones stay apart. It returns false where the statistic can't be sent: a number that
// is not finite, a counter below 0, a malformed or reserved name, a unit, kind or instance that differs from the
// catalogue's.
func Clean(s Statistic) (Statistic, bool) {
	s.Instance = cleanText(s.Instance, MaxInstance)
	s.Value += 0 // makes -0 a 0
	return s, checkStatistic(&s) == nil
}

// Clean makes a report sendable as far as that is possible: statistics go through the function Clean, and those that
// can't be sent, that there are twice, or that are more than MaxStatistics are left out; the texts are cleaned in the
// same way and cut to their lengths. Where statistics were left out a failure of the source "report" says how many, and
// why the first was. It returns their number. It changes the slices of the report in place. Logs have a Clean of their own.
func (r *Report) Clean() int {
	for _, text := range []*string{&r.Client, &r.OS, &r.Arch, &r.Hostname} {
		*text = cleanText(*text, MaxText)
	}
	var first error
	left := 0
	kept := r.Statistics[:0]
	seen := newSeen(len(r.Statistics))
	for _, s := range r.Statistics {
		s, ok := Clean(s)
		var err error
		switch {
		case !ok:
			err = checkStatistic(&s)
		case len(kept) == MaxStatistics:
			err = fmt.Errorf("there are more than %d", MaxStatistics)
		default:
			err = seen.add(&s)
		}
		if err != nil {
			left++
			if first == nil {
				first = fmt.Errorf("%s: %w", quote(s.Name), err)
			}
			continue
		}
		kept = append(kept, s)
	}
	r.Statistics = kept
	r.Failures = cleanFailures(r.Failures, left, first)
	return left
}

func cleanFailures(failures []Failure, left int, first error) []Failure {
	if left > 0 {
		said := Failure{Source: "report", Reason: fmt.Sprintf("%d statistics could not be sent; %v", left, first)}
		failures = append([]Failure{said}, failures...)
	}
	failures = failures[:min(len(failures), MaxFailures)]
	for i := range failures {
		f := &failures[i]
		f.Reason = filled(cleanText(f.Reason, MaxReason))
		if checkName(f.Source) != nil {
			f.Reason = cleanText(quote(f.Source)+": "+f.Reason, MaxReason)
			f.Source = "unknown"
		}
	}
	return failures
}

// cleanText replaces what checkText refuses, and cuts what is longer than most characters.
func cleanText(text string, most int) string {
	if checkText(text, most) == nil {
		return text
	}
	text = strings.Map(func(r rune) rune {
		switch {
		case r == 0:
			return -1
		case isRefused(r):
			return utf8.RuneError
		}
		return r
	}, text) // Map gives U+FFFD for each byte of invalid UTF-8
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	sum := fnv.New32a()
	sum.Write([]byte(text))
	return string([]rune(text)[:most-9]) + fmt.Sprintf("~%08x", sum.Sum32())
}

// isRefused says of a character whether no text of a report may hold it: it would break a line, command a terminal,
// turn the direction of writing so that a reader is deceived, or XML does not have it.
func isRefused(r rune) bool {
	switch {
	case r < ' ', 0x7F <= r && r < 0xA0: // controls
		return true
	case r == 0x061C, r == 0x200E, r == 0x200F, 0x202A <= r && r <= 0x202E, 0x2066 <= r && r <= 0x2069: // direction
		return true
	case r == 0x2028, r == 0x2029, r == 0xFEFF, r == 0xFFFE, r == 0xFFFF: // line ends, byte order, no characters
		return true
	}
	return false
}

// checkText returns why a text may not stand in a report, or nil.
func checkText(text string, most int) error {
	plain := len(text) <= most
	for i := 0; i < len(text) && plain; i++ {
		plain = ' ' <= text[i] && text[i] < 0x7F
	}
	if plain {
		return nil
	}
	if !utf8.ValidString(text) {
		return errors.New("it is not UTF-8")
	}
	if utf8.RuneCountInString(text) > most {
		return fmt.Errorf("it is longer than %d characters", most)
	}
	if i := strings.IndexFunc(text, isRefused); i >= 0 {
		r, _ := utf8.DecodeRuneInString(text[i:])
		return fmt.Errorf("it holds the control character %U", r)
	}
	return nil
}

// checkFilled is checkText for a text that may not be empty.
func checkFilled(text string, most int) error {
	if text == "" {
		return errors.New("it is empty")
	}
	return checkText(text, most)
}

// checkName returns why a name of a statistic or a source is malformed, or nil. Names are lower-case words joined by
// dots: disk.inodes.usage, load.15.
func checkName(name string) error {
	if len(name) > MaxName {
		return fmt.Errorf("it is longer than %d characters", MaxName)
	}
	dot := true // where a word must begin
	for i := 0; i < len(name); i++ {
		c := name[i]
		switch {
		case 'a' <= c && c <= 'z', i > 0 && '0' <= c && c <= '9':
			dot = false
		case (c == '_' || c == '-') && !dot:
		case c == '.' && !dot:
			dot = true
		default:
			return errors.New("it is not made of lower-case words joined by dots")
		}
	}
	if dot {
		return errors.New("it is not made of lower-case words joined by dots")
	}
	return nil
}

// checkUnit returns why a unit is malformed, or nil.
func checkUnit(unit string) error {
	if unit == "" || len(unit) > MaxUnit {
		return fmt.Errorf("it must have 1 to %d characters", MaxUnit)
	}
	for i := 0; i < len(unit); i++ {
		if unit[i] <= ' ' || unit[i] >= 0x7F {
			return errors.New("it may hold printable ASCII alone, and no space")
		}
	}
	return nil
}

// checkTime returns why a time can't be that of a report, or nil.
func checkTime(t time.Time) error {
	if year := t.UTC().Year(); year < 1970 || year > 9999 {
		return errors.New("it is not within the years 1970 to 9999")
	}
	return nil
}

// checkStatistic returns why a statistic can't be in a report, or nil.
func checkStatistic(s *Statistic) error {
	d := lookup(s.Name)
	if d == nil {
		if err := checkName(s.Name); err != nil {
			return fmt.Errorf("the name: %w", err)
		}
		if err := checkUnit(s.Unit); err != nil {
			return fmt.Errorf("the unit: %w", err)
		}
		if s.Kind != Gauge && s.Kind != Counter {
			return fmt.Errorf("the kind is neither %s nor %s", Gauge, Counter)
		}
	}
	for _, own := range []string{reserved, reservedLogs} {
		if strings.HasPrefix(s.Name, own) {
			return fmt.Errorf("names that begin with %q are the server's own", own)
		}
	}
	if d != nil {
		if err := d.check(s); err != nil {
			return err
		}
	}
	if err := checkText(s.Instance, MaxInstance); err != nil {
		return fmt.Errorf("the instance: %w", err)
	}
	switch {
	case math.IsNaN(s.Value) || math.IsInf(s.Value, 0):
		return errors.New("the value is not a finite number")
	case s.Kind == Counter && s.Value < 0:
		return errors.New("a counter is below 0")
	}
	return nil
}

// check returns how a statistic differs from its definition, or nil.
func (d *Definition) check(s *Statistic) error {
	switch {
	case s.Unit != d.Unit:
		return fmt.Errorf("the unit of %s is %s", d.Name, d.Unit)
	case s.Kind != d.Kind:
		return fmt.Errorf("%s is a %s", d.Name, d.Kind)
	case d.Instance == "" && s.Instance != "":
		return fmt.Errorf("%s has no instances", d.Name)
	case d.Instance != "" && s.Instance == "":
		return fmt.Errorf("%s needs an instance: its %s", d.Name, d.Instance)
	}
	return nil
}

// seen holds which statistics there have been.
type seen map[series]struct{}

type series struct{ name, instance string }

func newSeen(expected int) seen {
	return make(seen, min(expected, MaxStatistics))
}

// add remembers a statistic; an error says that there has been one of this name and instance.
func (seen seen) add(s *Statistic) error {
	key := series{s.Name, s.Instance}
	before := len(seen)
	seen[key] = struct{}{}
	if len(seen) == before {
		return fmt.Errorf("%s is there twice for the instance %s", s.Name, quote(s.Instance))
	}
	return nil
}
