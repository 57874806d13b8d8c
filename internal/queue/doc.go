// Package queue keeps what hosts have handed over until the database has it and the limits were judged: a durable queue
// between the visits and those who work on them, and small durable tables beside it. It alone knows NATS JetStream.
//
// By default JetStream runs in this process: no port is opened, its files are in a folder of the data directory and
// encrypted with a key that lies beside it. Where servers are named it is their cluster, over TLS if so configured.
// Everything else is the same code.
//
// # Promises
//
// When Put returns nil the entry is on disk, synced: neither a killed process nor a power cut takes it away. In a cluster it
// is at a quorum of its servers, which sync it if they are configured to. That costs one sync for each group of entries: those
// that are put while a group is on its way to disk make up the next one. The messages of the stream are such groups, packed
// and compressed.
//
// Readers are independent of each other. Each reads every entry in the order of the stream and moves its position when
// the work on it is done; after a crash it reads from its last position again. So an entry is worked on at least once,
// and whoever reads must know what it has done already. Groups that all readers have passed are deleted. The numbers of
// entries only grow.
//
// # Bounds
//
// What waits is bounded in bytes and in age, and by what the disk still has. At a bound new entries are refused with
// ErrFull, except vital ones, for which there is a reserve; what was taken is never given up for what is new. State says
// how close the bounds are.
//
// Memory is bounded whatever waits: at most 128 MiB, with readers that ask for 8 MiB at a time.
//
// # Failure
//
// A disk that is full or broken stops JetStream: calls return ErrUnavailable, and the queue starts it again until it
// works. Where it can't be ended, since it waits for itself, Stuck says so: another process has to go on. A cluster out of
// reach is unavailable likewise, and nats.go connects again. Put tries for a while by itself; whoever reads tries again when it
// likes. Where the stream has lost its end, or was deleted, readers go back to what there is, and the log says what is missing.
//
// Each write expects the stream's end. So a write without an answer, tried again, is in a cluster there once. In this
// process it may be there twice: after a failed write nobody knows what the disk has, and what JetStream shows is not
// believed.
//
// A Queue and its tables are safe for concurrent use; a Reader has one user at a time. The goroutines are the queue's own, and
// Close waits for them, but for those of a JetStream that is stuck.
package queue
