package cli

import (
	"fmt"
	"io"
	"time"

	"muster/internal/controller"
	"muster/internal/health"
	"muster/internal/visit"
)

// aloneMost is how many hosts that are left alone are named.
const aloneMost = 20

// printOverview says below the hosts what of the server itself a person should know: when a server that runs makes the next
// sweep, and else nothing where all is well.
func printOverview(w io.Writer, o *controller.Overview, now time.Time) {
	if o == nil {
		return
	}
	line := func(format string, values ...any) { fmt.Fprintf(w, format+"\n", values...) }
	facts := &o.Facts
	if !facts.Database.AwaySince.IsZero() {
		line("database: away since %s: %s", facts.Database.AwaySince.Local().Format(time.DateTime), printable(facts.Database.Reason))
	}
	for _, c := range facts.Queue.Consumers {
		if what := waitsFor(c.Name); c.Waiting > 0 && (o.Running == nil || now.Sub(c.Oldest) > time.Minute) {
			line("queue: %s to be %s, the oldest since %s", count(int(c.Waiting), "entry"), what, c.Oldest.Local().Format(time.DateTime))
		}
	}
	if facts.Queue.Refusing != "" {
		line("queue: new reports are refused: %s", printable(facts.Queue.Refusing))
	}
	if facts.Queue.DeadLetters > 0 {
		line("queue: %s can't be stored; see to it, then run muster queue retry:", count(int(facts.Queue.DeadLetters), "report"))
		for _, d := range o.Undone.Dead {
			line("    %s %s: %s", d.Kind, printable(d.ID), printable(d.Reason))
		}
	}
	printLogs(w, o, now)
	printMails(w, o)
	if o.Serving != nil {
		printServing(w, o.Serving)
	}
}

// logsMost is how many logs that are behind or can't be read are named.
const logsMost = 20

// printLogs says which logs are behind or can't be read.
func printLogs(w io.Writer, o *controller.Overview, now time.Time) {
	if o.Facts.Logs.Paused {
		fmt.Fprintln(w, "logs: they are not read for now, since the queue is filling up; they wait on their hosts")
	}
	printWaiting(w, o.Facts.Logs)
	for i, l := range o.Undone.Logs {
		if i == logsMost {
			fmt.Fprintf(w, "logs: and %s more; --json has them\n", count(len(o.Undone.Logs)-i, "log"))
			break
		}
		name := printable(l.Host) + ": log " + printable(l.Channel)
		if l.Trouble != "" {
			fmt.Fprintf(w, "%s: can't be read since %s (%s): %s\n    %s\n", name, l.Since.Local().Format(time.DateTime), l.Trouble,
				printable(l.Text), printable(visit.LogAdvice(l.Channel, l.Trouble)))
		}
		if !l.Behind.IsZero() {
			upTo := ""
			if !l.Newest.IsZero() {
				upTo = ", read up to the records of " + l.Newest.Local().Format(time.DateTime)
			}
			fmt.Fprintf(w, "%s: behind since %s (%s)%s\n", name, l.Behind.Local().Format(time.DateTime), ago(l.Behind, now), upTo)
		}
	}
}

// printWaiting says of how many hosts logs wait for the database, and why it can't be asked.
func printWaiting(w io.Writer, l health.Logs) {
	if l.Waiting == 0 {
		return
	}
	has, reason := "has", ""
	if l.Waiting > 1 {
		has = "have"
	}
	if l.Reason != "" {
		reason = ": " + printable(l.Reason)
	}
	fmt.Fprintf(w, "logs: %s %s some that are not read until the database has said where their reading stands%s\n",
		count(l.Waiting, "host"), has, reason)
}

// logName is a log of a host.
type logName struct{ host, channel string }

// unreadLogs returns the logs of which printLogs says why they can't be read. o may be nil.
func unreadLogs(o *controller.Overview) map[logName]bool {
	unread := make(map[logName]bool)
	if o == nil {
		return unread
	}
	for _, l := range o.Undone.Logs[:min(len(o.Undone.Logs), logsMost)] {
		if l.Trouble != "" {
			unread[logName{l.Host, l.Channel}] = true
		}
	}
	return unread
}

// printServing says how a server that runs goes about its work.
func printServing(w io.Writer, s *controller.Serving) {
	for i, h := range s.Alone {
		if i == aloneMost {
			fmt.Fprintf(w, "and %s more are left alone\n", count(len(s.Alone)-i, "host"))
			break
		}
		fmt.Fprintf(w, "%s: left alone for a while after %s, the last with %s (%s): next attempt at %s\n", printable(h.Host),
			count(h.Failures, "failure"), h.Kind, h.Stage, h.Next.Local().Format(time.DateTime))
	}
	if s.Reason != "" {
		fmt.Fprintf(w, "configuration: that of %s is in use; the one that was read at %s is refused: %s\n",
			s.Loaded.Local().Format(time.DateTime), s.Refused.Local().Format(time.DateTime), printable(s.Reason))
	}
	for _, part := range s.Restart {
		fmt.Fprintf(w, "configuration: %s has changed, which needs a restart of the server\n", part)
	}
	fmt.Fprintf(w, "next sweep: at %s\n", s.Next.Local().Format(time.DateTime))
}

// waitsFor says what a reader of the queue does.
func waitsFor(reader string) string {
	if reader == "store" {
		return "stored"
	}
	return "held against limits"
}

func printMails(w io.Writer, o *controller.Overview) {
	m := o.Undone.Mail
	if m == nil {
		return
	}
	if m.Waiting > 0 {
		fmt.Fprintf(w, "mail: %s not sent yet, the oldest since %s", count(m.Waiting, "mail"), m.Oldest.Local().Format(time.DateTime))
		if m.Error != "" {
			fmt.Fprintf(w, ": %s\n    %s", printable(m.Error), printable(m.Advice))
		}
		fmt.Fprintln(w)
	}
	if m.RefusedKept > 0 {
		fmt.Fprintf(w, "mail: %s refused for good; the last:\n", count(m.RefusedKept, "mail"))
		for _, r := range m.Refused[:min(len(m.Refused), 3)] {
			fmt.Fprintf(w, "    %s to %s: %s\n", r.Time.Local().Format(time.DateTime), printable(r.To), printable(r.Error))
		}
	}
}
