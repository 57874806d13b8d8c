package wevt

import (
	"context"
	"errors"
	"fmt"

	"muster/internal/report"
)

// Log is the event log of a machine. Its errors are, or wrap, a Code.
type Log interface {
	// Query opens what is selected of a channel. The result is not a snapshot: records that come later may be in it.
	Query(channel string, s Selection) (Results, error)

	// Oldest returns the id of the oldest record of a channel; 0 where it has none.
	Oldest(channel string) (int64, error)
}

// Results is what a query selects, and a position in it.
type Results interface {
	// Next sets the next events, oldest first, and returns how many: at least one, or an error. NoMoreItems is the
	// end. It blocks for as long as Windows takes, but not much longer than ctx's deadline: then the error is Timeout.
	Next(ctx context.Context, events []Event) (int, error)

	// MoveTo moves to the record of this id. Where it is not among the results it fails, or moves anywhere: whoever calls
	// it looks at the record that comes next.
	MoveTo(id int64) error

	// Close gives back what the results hold; events live on.
	Close()
}

// Event is an event that a query found.
type Event interface {
	// XML returns the event as Windows renders it, in UTF-16. It is overwritten by the next call for any event of the Log.
	XML() ([]uint16, error)

	// Words returns what the event's publisher says of it, in the language of the host.
	Words(publisher string) (Words, error)

	// Close gives back what the event holds.
	Close()
}

// Words is what a publisher says of an event.
type Words struct {
	Message  string
	Keywords []string
}

// Code is an error of Windows: what GetLastError returned, or 0 where a function failed and it returned 0.
type Code uint32

// The codes that readers of event logs meet (winerror.h).
const (
	AccessDenied      Code = 5
	NotEnough         Code = 122 // ERROR_INSUFFICIENT_BUFFER
	ProcNotFound      Code = 127 // wevtapi.dll lacks a function
	NoMoreItems       Code = 259
	NotFound          Code = 1168
	Timeout           Code = 1460
	ServerUnavailable Code = 1722 // RPC_S_SERVER_UNAVAILABLE: the service is not running
	InvalidBound      Code = 1734 // RPC_S_INVALID_BOUND
	InvalidOperation  Code = 4317 // EvtNext at the end, on some versions

	InvalidChannelPath Code = 15000
	InvalidQuery       Code = 15001
	PublisherNotFound  Code = 15002
	ChannelNotFound    Code = 15007
	MalformedXML       Code = 15008
	ResultStale        Code = 15011
	InvalidPosition    Code = 15012
	filterFirst        Code = 15014 // the codes of an XPath that Windows does not take
	filterLast         Code = 15021
	FilterTooComplex   Code = 15026
	MessageNotFound    Code = 15027
	messageFirst       Code = 15029 // texts with inserts that could not be resolved: the text is there nevertheless
	messageLast        Code = 15031
)

// Error says the code's number and what it means where that is known.
func (c Code) Error() string {
	if c == 0 {
		return "Windows says that it failed, and not why"
	}
	if meaning := c.meaning(); meaning != "" {
		return fmt.Sprintf("%s (Windows error %d)", meaning, uint32(c))
	}
	return fmt.Sprintf("Windows error %d", uint32(c))
}

func (c Code) meaning() string {
	switch c {
	case AccessDenied:
		return "access is denied"
	case ProcNotFound:
		return "wevtapi.dll lacks a function"
	case Timeout:
		return "it took too long"
	case ServerUnavailable:
		return "the service Windows Event Log does not answer: is it running?"
	case InvalidBound:
		return "a batch was too large"
	case InvalidChannelPath:
		return "the name of the channel is malformed"
	case ChannelNotFound:
		return "there is no such channel"
	case ResultStale:
		return "the log changed while it was read"
	case FilterTooComplex:
		return "the query is too complex"
	}
	if c.ofQuery() {
		return "the query is malformed"
	}
	return ""
}

// ofQuery reports whether it is the query that Windows does not take.
func (c Code) ofQuery() bool {
	switch c {
	case InvalidQuery, MalformedXML, FilterTooComplex:
		return true
	}
	return filterFirst <= c && c <= filterLast
}

// ofResults reports whether it is the results that can't be read on, and not one event in them.
func (c Code) ofResults() bool {
	return c == InvalidBound || c == ResultStale || c == ServerUnavailable || c == Timeout
}

// Partial reports whether a text was formatted in spite of the error, with parts of it as they were.
func (c Code) Partial() bool { return messageFirst <= c && c <= messageLast }

// queryError is a query that Windows was not asked.
type queryError struct{ error }

// trouble is what a report says of an error.
func trouble(channel string, err error) *report.Trouble {
	t := &report.Trouble{Kind: report.TroubleFailed, Text: fmt.Sprintf("channel %s: %v", channel, err)}
	var code Code
	if errors.As(err, new(queryError)) {
		t.Kind = report.TroubleQuery
	}
	if !asCode(err, &code) {
		return t
	}
	switch {
	case code == AccessDenied:
		t.Kind = report.TroubleDenied
		t.Text += `: the account has to be in the group "Event Log Readers" (S-1-5-32-573), and log in anew`
	case code == ChannelNotFound, code == InvalidChannelPath:
		t.Kind = report.TroubleAbsent
	case code.ofQuery():
		t.Kind = report.TroubleQuery
	case code == Timeout:
		t.Kind = report.TroubleSlow
	case code == ProcNotFound:
		t.Kind = report.TroubleUnsupported
	}
	return t
}
