package report

import "time"

// Bounds of log records, in a request and in a report. Texts are cut to theirs on the host, which marks the record.
const (
	MaxChannels    = 32        // of one request
	MaxChannel     = 255       // characters of a channel's name
	MaxRecords     = 5000      // in one report, over all channels
	MaxRecordBytes = 3 << 20   // of them in one report, in XML
	MaxRecord      = 256 << 10 // of one record, in XML
	MaxPosition    = 1000      // bytes of a cursor's position
	MaxIdentity    = 500       // bytes of an epoch's identity
	MaxRaw         = 128 << 10
	MaxMessage     = 32 << 10
	MaxFields      = 200 // named and unnamed data of one record
	MaxField       = 32 << 10
	MaxWord        = 255 // characters of a record's source, computer, user and keywords, and of a field's name
	MaxGaps        = 100 // of one channel in one report
	MaxXPath       = 4000
)

// FileChannel begins the channel of a text file; its path follows. Journal is systemd's journal. Every other channel is one of
// the Windows event log.
const (
	FileChannel = "file:"
	Journal     = "journal"
)

// Level says how grave a record is: syslog's eight (RFC 5424, section 6.2.1), those of the Windows event log beyond
// them, and what an audit says.
type Level string

// The levels.
const (
	Emergency    Level = "emergency"
	AlertLevel   Level = "alert"
	Critical     Level = "critical"
	Error        Level = "error"
	Warning      Level = "warning"
	Notice       Level = "notice"
	Information  Level = "information"
	Debug        Level = "debug"
	Verbose      Level = "verbose"
	AuditSuccess Level = "audit-success" // of records of the Security log, by their keywords
	AuditFailure Level = "audit-failure"
)

// Levels returns all levels, the gravest first.
func Levels() []Level {
	return []Level{
		Emergency, AlertLevel, Critical, Error, Warning, Notice, Information, Debug, Verbose, AuditFailure, AuditSuccess,
	}
}

// Record is one log record. Host, channel, epoch and ID together identify it for ever.
type Record struct {
	ID       int64     // from 1; grows within the epoch, not always by 1
	Time     time.Time // UTC; where the record has none, about that at which it was written, or read
	Level    Level     // empty: it says none
	Event    int64     // the event's id; 0: none
	Source   string    // the provider, or the program
	Computer string
	User     string
	Process  int64  // its id; 0: none
	Keywords string // of a Windows event: as rendered, "; " between them, or in hexadecimal
	Message  string
	Data     []Field // in their order
	Raw      string  // the event's XML, or the line, as the host has it; empty where it is not wanted
	Altered  bool    // characters that XML forbids were replaced, or a text was cut
}

// Field is one piece of a record's data. Name is empty where it has none.
type Field struct{ Name, Value string }

// Cursor is how far a channel of a host was read. The zero value: not at all.
type Cursor struct {
	Epoch    int64  // of Record; 0: nothing was read yet
	Record   int64  // id of the last record that was read or passed over; 0: none of the epoch
	Position string // where that is, in the words of whoever reads the channel; nobody else reads it
}

// Epoch is one numbering of a channel's records: a log that is cleared, recreated or rotated begins another.
type Epoch struct {
	Number   int64
	Identity string // tells it from any other epoch of the channel, in the words of whoever reads the channel
}

// LogRequest is what is wanted of one channel.
type LogRequest struct {
	Channel  string
	Filter   Filter
	Raw      bool          // send the records' raw form too
	Messages bool          // have Windows render the events' messages: up to two thirds of the reading's cost
	Since    time.Duration // how far back to begin where Cursor is zero: 0 from now on, below 0 (SinceAll) at the log's beginning
	Cursor   Cursor        // where to go on

	// Fresh is the number that an epoch gets which begins now; it is greater than Cursor.Epoch. Begun is an epoch that was
	// begun in an answer which was perhaps kept and perhaps not: if the log's is this one it gets its number again.
	// So records that are read twice have the same ids. If it is gone, what came after that answer is a gap in it.
	Fresh int64
	Begun Epoch
}

// SinceAll has a first reading begin at the beginning of the log.
const SinceAll time.Duration = -1

// Logs is what one report brings of one channel: records of one epoch.
type Logs struct {
	Channel string
	Epoch   int64    // of the records; 0 where nothing was ever read
	Begun   string   // the epoch's identity where it began with this reading; empty: it is that of the request's cursor
	Why     string   // why it began: "first reading", "the log was cleared" …; empty: it did not
	Records []Record // in the order of their ids
	Gaps    []Gap    // what was gone before it was read
	Next    Cursor   // where the next reading is to begin
	More    bool     // there is more to read now
	Trouble *Trouble // why the channel could not be read, or not to its end; nil: it could
}

// Gap is records that were gone before they were read.
type Gap struct {
	Epoch    int64
	First    int64  // id of the first that is missing
	Last     int64  // id of the last; 0: nobody knows how many there were
	Possible bool   // a filter was set: nobody knows whether any of them would have been wanted
	Reason   string // in words
}

// Trouble is why a channel could not be read.
type Trouble struct {
	Kind TroubleKind
	Text string
}

// TroubleKind is what kind of trouble it is: what to do about it depends on that.
type TroubleKind string

// The kinds of trouble.
const (
	TroubleDenied      TroubleKind = "denied"      // the account may not read the channel
	TroubleAbsent      TroubleKind = "absent"      // there is no such channel, or no such file
	TroubleQuery       TroubleKind = "query"       // the channel does not take the filter
	TroubleUnsupported TroubleKind = "unsupported" // hosts of this platform have no such channels
	TroubleSlow        TroubleKind = "slow"        // it did not answer in time
	TroubleFailed      TroubleKind = "failed"      // anything else
)
