// Package health is what a running server says of itself, and of its hosts, over HTTP: /metrics and /metrics/hosts for
// Prometheus, /healthz for whoever must know whether it works, /status for `muster status`.
//
//	visits ──Observer──→ Health ←──Facts── Source (queue, database, mail, alerts)
//	                       │
//	       Serve (TCP, reads only) and ServeControl (unix socket, and what Handle adds)
//
// What happens is counted when it happens: Health is a visit.Observer. What merely is, such as how much waits in the
// queue, is asked of the Source when somebody looks, so a server that nobody looks at does nothing for it.
//
// The server's own figures and those of its hosts are two pages. The first is small, and stays so whatever the fleet:
// it can be scraped often, and its cost does not grow on the day on which everything is slow. The second has some fifty
// lines a host. Its names are those of OpenTelemetry's semantic conventions as Prometheus writes them; docs/monitoring.md
// has both lists, and a test keeps them equal to the code.
//
// It owns the metrics, their names and labels, the page of hosts, the listeners and the control socket. It refuses what
// is not a GET or HEAD, except on the control socket, and it never acts on what it is asked.
//
// Nothing a host sends becomes a metric's name or a label's name: what the catalogue of package report does not have is
// found under one name, with its own as a label's value. Label values are escaped. A host has at most maxSeries series
// and maxText bytes of names here, what is more is counted and left out; a host that is not configured has none. Of each
// host the last report alone is kept, some 4 kB. One whose last visit failed, or that has not been visited for long, has
// no values: Prometheus then takes its series for ended, where old values would look like a host that is well.
//
// All of it is safe for concurrent use. Visited takes some microseconds, and waits for nobody. There is no goroutine
// but those of Serve and ServeControl, which wait for all of theirs before they return. There is no global state: the
// registry of the metrics is Health's own.
package health
