package controller

import (
	"muster/internal/events"
	"muster/internal/report"
	"muster/internal/store"
)

// logonOf tells the store what a log record says of a logon.
func logonOf(channel string, r *report.Record) store.Logon {
	l, _ := events.LogonOf(channel, r)
	return store.Logon{Outcome: l.Outcome, Account: l.User, Address: l.Address}
}
