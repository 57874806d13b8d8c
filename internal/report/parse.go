package report

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Parse reads a report and checks everything that it knows: elements, attributes, types, ranges, lengths, numbers of
// things, what stands twice, units and kinds of the statistics of the catalogue. Elements and attributes that it does
// not know are passed over, so that a newer client can say more. A document that is not acceptable as a whole gives no
// report but a *ParseError, or an error that wraps ErrTooLarge, or both. The report shares no memory with the document.
func Parse(document []byte) (*Report, error) { return parse(document, nil) }

// parse is Parse, for a request if there is one.
func parse(document []byte, asked *Request) (*Report, error) {
	if len(document) > MaxDocument {
		return nil, fmt.Errorf("report: %d bytes are %w (%d)", len(document), ErrTooLarge, MaxDocument)
	}
	s, err := newScanner("report", document)
	if err != nil {
		return nil, err
	}
	p := parser{scanner: s, namespace: Namespace, asked: asked}
	report := &Report{}
	if err := p.report(report); err != nil {
		return nil, err
	}
	return report, nil
}

func (p *parser) report(r *Report) error {
	if err := p.root("report"); err != nil {
		return err
	}
	at := p.at
	if err := p.head(r); err != nil {
		return err
	}
	var statistics, failures, logs bool
	err := p.children(func(name string) error {
		switch {
		case name == "statistics" && !statistics && !failures:
			statistics = true
			return p.statistics(r)
		case name == "failures" && statistics && !failures:
			failures = true
			return p.failures(r)
		case name == "logs" && failures && !logs:
			logs = true
			return p.logs(r)
		case name == "logs":
			return p.fail(p.at, "<logs> stands twice, or before <failures>")
		case name == "statistics" || name == "failures":
			return p.fail(p.at, "<%s> stands twice, or <failures> before <statistics>", name)
		}
		return p.skip(name)
	})
	if err != nil {
		return err
	}
	if !statistics || !failures {
		return p.fail(at, "<report> does not hold both <statistics> and <failures>")
	}
	return p.end()
}

// head reads the attributes of <report>.
func (p *parser) head(r *Report) error {
	var moment string
	for i := range p.attributes {
		a := &p.attributes[i]
		var err error
		switch a.name {
		case "visit":
			r.Visit, err = keep(a.value)
		case "host":
			r.Host, err = keep(a.value)
		case "client":
			r.Client, err = keep(a.value)
		case "os":
			r.OS, err = keep(a.value)
		case "arch":
			r.Arch, err = keep(a.value)
		case "hostname":
			r.Hostname, err = keep(a.value)
		case "time":
			moment = a.value
			r.Time, err = parseTime(a.value)
		}
		if err != nil {
			return p.failAttribute(a, err)
		}
	}
	return p.missing(p.at, "report", [2]string{"visit", r.Visit}, [2]string{"host", r.Host}, [2]string{"time", moment},
		[2]string{"client", r.Client}, [2]string{"os", r.OS}, [2]string{"arch", r.Arch})
}

// keep checks a text of at most MaxText characters and returns a copy, so that the document need not stay in memory for it.
func keep(text string) (string, error) {
	if err := checkText(text, MaxText); err != nil {
		return "", err
	}
	return strings.Clone(text), nil
}

// parseTime reads a time as RFC 3339 and XML Schema both write it, to the nanosecond.
func parseTime(text string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339Nano, text)
	_, fraction, _ := strings.Cut(text, ".")
	digits := len(fraction) - len(strings.TrimLeft(fraction, "0123456789"))
	_, zone := t.Zone()
	const furthest = 14 * 60 * 60 // a zone in XML Schema
	if err != nil || strings.ContainsAny(text, ",tz") || digits > 9 || zone < -furthest || zone > furthest {
		return time.Time{}, errors.New("it is not a time like 2006-01-02T15:04:05Z (RFC 3339)")
	}
	t = t.UTC()
	return t, checkTime(t)
}

func (p *parser) statistics(r *Report) error {
	ours, _, _ := strings.Cut(p.doc[p.pos:], "</statistics>")
	expected := min(strings.Count(ours, "<statistic "), MaxStatistics)
	r.Statistics = make([]Statistic, 0, expected)
	seen := newSeen(expected)
	return p.children(func(name string) error {
		if name != "statistic" {
			return p.skip(name)
		}
		at := p.at
		if len(r.Statistics) == MaxStatistics {
			return p.tooMany(at, MaxStatistics, "statistics")
		}
		var s Statistic
		if n := len(r.Statistics); n > 0 {
			s.Instance = r.Statistics[n-1].Instance
		}
		if err := p.statistic(&s); err != nil {
			return err
		}
		if err := checkStatistic(&s); err != nil {
			return p.fail(at, "statistic %s: %v", quote(s.Name), err)
		}
		if err := seen.add(&s); err != nil {
			return p.fail(at, "%v", err)
		}
		r.Statistics = append(r.Statistics, s)
		return p.leaf()
	})
}

// statistic reads the attributes of <statistic>. s comes with the instance of the statistic before: neighbours often
// share one, and then share its memory too.
func (p *parser) statistic(s *Statistic) error {
	var instance, value string
	for i := range p.attributes {
		a := &p.attributes[i]
		switch a.name {
		case "name":
			s.Name = a.value
		case "instance":
			instance = a.value
		case "unit":
			s.Unit = a.value
		case "kind":
			s.Kind = Kind(a.value)
		case "value":
			var err error
			if s.Value, err = parseNumber(a.value); err != nil {
				return p.failAttribute(a, err)
			}
			value = a.value
		}
	}
	if instance != s.Instance {
		s.Instance = strings.Clone(instance)
	}
	if s.Name == "" || s.Unit == "" || s.Kind == "" || value == "" {
		return p.missing(p.at, "statistic", [2]string{"name", s.Name}, [2]string{"unit", s.Unit},
			[2]string{"kind", string(s.Kind)}, [2]string{"value", value})
	}
	s.intern()
	return nil
}

// intern replaces the texts that are parts of the document by ones that do not keep all of it in memory.
func (s *Statistic) intern() {
	switch s.Kind {
	case Gauge:
		s.Kind = Gauge
	case Counter:
		s.Kind = Counter
	}
	if d := lookup(s.Name); d != nil {
		s.Name = d.Name
		if s.Unit == d.Unit {
			s.Unit = d.Unit
		}
		return
	}
	s.Name = strings.Clone(s.Name)
	s.Unit = strings.Clone(s.Unit)
}

// parseNumber reads a number as XML Schema writes a double, but neither NaN nor INF, and not what Go knows beyond it.
func parseNumber(text string) (float64, error) {
	mantissa, exponent := text, "0"
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		mantissa, exponent = text[:i], text[i+1:]
		if strings.HasPrefix(exponent, "+") || strings.HasPrefix(exponent, "-") {
			exponent = exponent[1:]
		}
	}
	whole, fraction, pointed := strings.Cut(strings.TrimPrefix(mantissa, "-"), ".")
	if !isDigits(whole) || pointed && !isDigits(fraction) || !isDigits(exponent) {
		return 0, errNumber
	}
	value, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, errNumber
	}
	return value + 0, nil // makes -0 a 0
}

func isDigits(text string) bool {
	for i := 0; i < len(text); i++ {
		if text[i] < '0' || text[i] > '9' {
			return false
		}
	}
	return text != ""
}

var errNumber = errors.New("it is not a finite number like 12.5 or 1.5e9")

func (p *parser) failures(r *Report) error {
	return p.children(func(name string) error {
		if name != "failure" {
			return p.skip(name)
		}
		if len(r.Failures) == MaxFailures {
			return p.tooMany(p.at, MaxFailures, "failures")
		}
		var f Failure
		for i := range p.attributes {
			switch a := &p.attributes[i]; a.name {
			case "source":
				f.Source = strings.Clone(a.value)
			case "reason":
				f.Reason = strings.Clone(a.value)
			}
		}
		if err := checkFailure(f); err != nil {
			return p.fail(p.at, "failure of %s: %v", quote(f.Source), err)
		}
		r.Failures = append(r.Failures, f)
		return p.leaf()
	})
}
