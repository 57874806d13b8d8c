// Package report holds the two documents that pass between server and client, the request and the report: their types,
// their XML form, the frame a report travels in, the statistics that Muster knows, and the bounds that keep a hostile
// host from hurting the server.
//
//	server                                              client
//	Request.Encode    ── one line on its stdin ──→      ReadRequest
//	                                                    Report.Clean, Report.Marshal, and sealing
//	ReadHeader        ←── frame on its stdout ──        WriteFrame or WriteFileFrame
//	Frame.ReadBody, or Frame.Check of a file
//	opening, and Request.Parse
//	Rates
//
// It owns what a statistic and a log record may look like: Clean and CleanRecord make them so, Marshal and Parse refuse
// what is not so, and the schema that Schema returns says it to everyone else. There is one way to write a report: Marshal
// of what Parse returned gives the bytes that Marshal gave before. Catalogue is the list that docs/statistics.md is made
// of; a report may hold statistics beyond it, but none that contradicts it.
//
// It refuses whatever a host should not be able to do to the server: documents beyond the bounds, entities and document
// types, numbers that are not finite, texts that command a terminal, names that are the server's own. The message, data
// and raw form of a log record alone may hold whatever XML can, since they are evidence: who shows them uses Visible. What
// it does not know it passes over, since server and client need not be of the same age.
//
// It is vocabulary: it imports nothing of ours, holds no state that changes, and everything in it is safe for concurrent
// use as long as nobody changes a value that another reads. On an error nothing else is returned. It is linked into the
// client, so it does without packages that are large.
package report

import "time"

// Namespace is the XML namespace of a report.
const Namespace = "urn:muster:report:1"

// RequestNamespace is the XML namespace of a request.
const RequestNamespace = "urn:muster:request:1"

// Kind says how a statistic's value is to be read.
type Kind string

// The kinds of statistics.
const (
	Gauge   Kind = "gauge"   // a value of this moment
	Counter Kind = "counter" // a total since the host (or the device) started; only grows, or begins again
)

// Statistic is one named number. Instance tells several of the same name apart (a mount point, an interface) and is
// empty where there is one. Unit is a base unit (s, B, %, 1, Cel, B/s, 1/s).
type Statistic struct {
	Name     string
	Instance string
	Unit     string
	Kind     Kind
	Value    float64 // never NaN, never infinite
}

// Failure is a source of statistics that could not be read in time or at all.
type Failure struct {
	Source string // the source's name: cpu, memory, disk …
	Reason string
}

// Report is what one visit brings back.
type Report struct {
	Visit      string // the visit's id, as in the request
	Host       string // the host's name in the configuration, as in the request
	Time       time.Time
	Client     string // the client's version
	OS         string // GOOS of the client
	Arch       string // GOARCH of the client
	Hostname   string // what the machine calls itself; informative, not to be trusted
	Statistics []Statistic
	Failures   []Failure
	Logs       []Logs // at most one of each channel
}

// Request is what the server asks of the client. The zero values of the optional fields mean what their comments say.
type Request struct {
	Visit    string
	Host     string
	Key      [32]byte      // AES-256 key, fresh for each visit
	Nonce    [12]byte      // first GCM nonce, fresh for each visit
	Deadline time.Duration // the client ends itself after this; 0: the client's own default
	Sample   time.Duration // take two readings this far apart and send rates too; 0: do not
	File     string        // base name of the file, beside the client, that takes the sealed report; empty: stdout
	Sources  []string      // names of the sources wanted; empty: all
	Part     int           // 0: the first report of the visit; above: a further one, with log records and no statistics
	Logs     []LogRequest  // the channels wanted, no two the same; empty: none
	Records  int           // how many records the report may bring, over all channels; 0: MaxRecords
	Bytes    int           // and how many bytes of them, as Record.Size counts; 0: MaxRecordBytes; a single record may have more
}
