// Package cursors remembers how far the logs of each host were read, in a durable table beside the queue: one value for each
// host, with all its channels.
//
// It owns the numbers of epochs, and the order of three steps in which log records come home exactly once. Of every
// answer of a host the caller
//
//   - calls Reserve, which writes down the epochs that began with it, before its records are put into the queue;
//   - puts the records into the queue, and waits until they are on disk;
//   - calls Move, which writes down where the next reading begins.
//
// So a cursor never stands behind a record that was not kept: none is lost. Where the process ends before Move, the same
// records are read again; and since an epoch that was reserved is named in the next request (LogRequest.Begun), they come
// under the same ids, and whoever stores them drops what is there already. A number is never given to two epochs of a
// channel.
//
// A table that can't be written stops Reserve, and with it the records, which wait on their host. It does not stop Move: the
// cursor goes on in memory, and the next Reserve writes it, or stops what would come after it. So after a restart no more than
// one answer of a host is read again, as after a crash.
//
// Of a channel that the table does not know it can't be said that it was never read: the table may have been lost. Requests
// leaves it out (Unknown) until the caller has asked whoever else knows, and has said so with TakeUp. What it takes up may be
// behind what was read, but must have a copy of each cursor that is not ahead of the records that are kept for good.
//
// A channel or host that the configuration no longer has keeps its cursor for a month: so an accident in the
// configuration replays no log. A host with another name is another host.
//
// Cursors are safe for concurrent use; the steps of one host follow each other, which is the caller's to see to. The
// package starts no goroutine.
package cursors
