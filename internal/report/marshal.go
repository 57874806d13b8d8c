package report

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"
)

// Marshal returns the report as an XML document. It validates as Parse does: what Marshal returns, Parse accepts, and
// Marshal of what Parse returned gives the same bytes. The error says which value may not be sent; it wraps ErrTooLarge
// where the document would be beyond MaxDocument.
func (r *Report) Marshal() ([]byte, error) {
	if err := r.check(); err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	b := make([]byte, 0, 512+112*len(r.Statistics)+128*len(r.Failures)+logsSize(r.Logs))
	b = append(b, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<report xmlns=\""+Namespace+"\""...)
	b = appendAttribute(b, "visit", r.Visit)
	b = appendAttribute(b, "host", r.Host)
	b = appendAttribute(b, "time", r.Time.UTC().Format(time.RFC3339Nano))
	b = appendAttribute(b, "client", r.Client)
	b = appendAttribute(b, "os", r.OS)
	b = appendAttribute(b, "arch", r.Arch)
	b = appendOptional(b, "hostname", r.Hostname)
	b = append(b, ">\n  <statistics>\n"...)
	for i := range r.Statistics {
		b = appendStatistic(b, &r.Statistics[i])
	}
	b = append(b, "  </statistics>\n  <failures>\n"...)
	for _, f := range r.Failures {
		b = append(b, "    <failure"...)
		b = appendAttribute(b, "source", f.Source)
		b = appendAttribute(b, "reason", f.Reason)
		b = append(b, "/>\n"...)
	}
	b = append(b, "  </failures>\n"...)
	b = appendLogs(b, r.Logs)
	b = append(b, "</report>\n"...)
	if len(b) > MaxDocument {
		return nil, fmt.Errorf("report: %d bytes are %w (%d)", len(b), ErrTooLarge, MaxDocument)
	}
	return b, nil
}

// check returns why the report can't be sent, or nil.
func (r *Report) check() error {
	for _, text := range []struct{ name, value string }{
		{"visit", r.Visit}, {"host", r.Host}, {"client", r.Client}, {"os", r.OS}, {"arch", r.Arch},
	} {
		if err := checkFilled(text.value, MaxText); err != nil {
			return fmt.Errorf("%s: %w", text.name, err)
		}
	}
	if err := checkText(r.Hostname, MaxText); err != nil {
		return fmt.Errorf("hostname: %w", err)
	}
	if err := checkTime(r.Time); err != nil {
		return fmt.Errorf("time: %w", err)
	}
	if len(r.Statistics) > MaxStatistics {
		return fmt.Errorf("%d statistics are %w (%d)", len(r.Statistics), ErrTooLarge, MaxStatistics)
	}
	if len(r.Failures) > MaxFailures {
		return fmt.Errorf("%d failures are %w (%d)", len(r.Failures), ErrTooLarge, MaxFailures)
	}
	seen := newSeen(len(r.Statistics))
	for i := range r.Statistics {
		s := &r.Statistics[i]
		if err := errors.Join(checkStatistic(s), seen.add(s)); err != nil {
			return fmt.Errorf("statistic %s: %w", quote(s.Name), err)
		}
	}
	for _, f := range r.Failures {
		if err := checkFailure(f); err != nil {
			return fmt.Errorf("failure of %s: %w", quote(f.Source), err)
		}
	}
	return checkLogs(r.Logs)
}

func checkFailure(f Failure) error {
	if err := checkName(f.Source); err != nil {
		return fmt.Errorf("the source: %w", err)
	}
	if err := checkFilled(f.Reason, MaxReason); err != nil {
		return fmt.Errorf("the reason: %w", err)
	}
	return nil
}

func appendStatistic(b []byte, s *Statistic) []byte {
	b = append(b, "    <statistic"...)
	b = appendAttribute(b, "name", s.Name)
	b = appendOptional(b, "instance", s.Instance)
	b = appendAttribute(b, "unit", s.Unit)
	b = appendAttribute(b, "kind", string(s.Kind))
	b = append(b, " value=\""...)
	b = appendNumber(b, s.Value)
	return append(b, "\"/>\n"...)
}

// appendNumber writes a number as a person would, the shortest that gives the same number again, with an exponent only
// where there would be many zeros.
func appendNumber(b []byte, value float64) []byte {
	value += 0 // makes -0 a 0
	format := byte('f')
	if size := math.Abs(value); size != 0 && (size < 1e-6 || size >= 1e21) {
		format = 'e'
	}
	return strconv.AppendFloat(b, value, format, -1, 64)
}

func appendOptional(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	return appendAttribute(b, name, value)
}

// appendAttribute writes an attribute whose value has been checked to hold no control characters.
func appendAttribute(b []byte, name, value string) []byte {
	b = append(b, ' ')
	b = append(b, name...)
	b = append(b, '=', '"')
	from := 0
	for i := 0; i < len(value); i++ {
		var replaced string
		switch value[i] {
		case '&':
			replaced = "&amp;"
		case '<':
			replaced = "&lt;"
		case '>':
			replaced = "&gt;"
		case '"':
			replaced = "&quot;"
		default:
			continue
		}
		b = append(b, value[from:i]...)
		b = append(b, replaced...)
		from = i + 1
	}
	b = append(b, value[from:]...)
	return append(b, '"')
}
