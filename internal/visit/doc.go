// Package visit is one host in one sweep, from the connection to a report that was checked: connect, find out the platform,
// deploy the client, run it, receive what it sends, open that and decode it. It puts together what remote, deploy, seal and
// report know of the steps, and decides what a failure of one of them means.
//
// A visit is one value, and always comes about: with a report, or with a *failure.Error that says at which stage what went
// wrong. Each stage has a deadline, the whole has one, and all of them end a visit by closing its connection, as the end of
// the context does. A panic in the course of a visit fails that visit and no other. When Visit returns nothing of it is left: no
// connection, no goroutine; and on the host no process, for the client ends with its standard input, and no file but the
// client. (Half an upload, or a report's file, can stay behind where the connection is lost at the wrong moment: the next
// upload tidies it away.)
//
// Key, nonce and id of each visit are fresh and random. What the host sends is bounded before it is kept, and is believed
// only as far as its seal, its schema, and host and visit in it agree with what was asked. A password that the host repeats,
// in its log, in the message of a failure or as the reason for which a source failed, is taken out of it.
//
// Where log records are wanted (Host.Logs) a visit has parts. The first brings statistics and records under a small bound.
// While there is more, the client is run again over the same connection, for records alone, if the one who keeps them
// lets the visit go on and there is time. Each part is handed over, and kept, before the next is asked for, so that no more than
// one is in memory; the connection is closed before the last is. What a host sends of its logs is compared with what it was
// asked for. A failure in a further part is told in the report and fails nothing: what came before stays. The password is
// taken out of records, too, if it is long enough to be no common word, and they are marked as altered.
//
// The Visitor remembers three things of each host, in memory alone: its platform, where the client is, and the last
// reading of its counters. So a visit after the first runs the client straight away, and gets rates over the whole
// time since the one before. Only where the client is outside the user's home is it found and vetted at each visit: see
// deploy.Installed. If the client turns out to be gone it is deployed again within the same visit, once. A host
// whose address, port, user or directory was changed in the configuration is a new host.
//
// A client that an administrator has installed (Host.Client) is run where it is, and nothing else is asked of the host, so that
// a key is enough that may run this one command. What a shell, a forced command or sudo says in the place of a report
// becomes the kind and the advice of the failure.
//
// A Visitor may be used by any number of goroutines; visits of one host should follow one another, which is the
// controller's to see to. The package decides neither when to visit nor what becomes of a visit: that is the observers'.
package visit
