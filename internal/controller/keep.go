package controller

import (
	"context"
	"errors"
	"time"

	"muster/internal/entry"
	"muster/internal/queue"
	"muster/internal/store"
	"muster/internal/visit"
)

// putter is what the keeper needs of the queue.
type putter interface {
	Put(ctx context.Context, entries ...queue.Entry) error
}

// keeper puts into the queue what is not to be lost.
type keeper struct{ queue putter }

// visit returns when a visit to a host of these groups is on disk, and acknowledges it.
func (k *keeper) visit(ctx context.Context, v *visit.Visit, groups string) error {
	row := rowOf(v, groups)
	data, err := entry.EncodeVisit(&row)
	if err != nil {
		return err
	}
	if err := k.queue.Put(ctx, queue.Entry{Kind: entry.KindVisit, ID: v.Host + " " + v.ID, Data: data}); err != nil {
		return err
	}
	v.Acknowledge()
	return nil
}

// sweep returns when the beginning or the end of a sweep is on disk. There is room for it where there is none for visits.
func (k *keeper) sweep(ctx context.Context, s *entry.Sweep) error {
	data, err := entry.EncodeSweep(s)
	if err != nil {
		return err
	}
	id := s.Time.UTC().Format(time.RFC3339Nano)
	return k.queue.Put(ctx, queue.Entry{Kind: entry.KindSweep, ID: id, Data: data, Vital: true})
}

// rowOf returns a visit as the store takes it.
func rowOf(v *visit.Visit, groups string) store.Visit {
	row := store.Visit{
		ID:       v.ID,
		Sweep:    v.Sweep,
		Host:     v.Host,
		Groups:   groups,
		Address:  v.Address,
		Started:  v.Started,
		Took:     v.Took,
		Sent:     v.Sent,
		Received: v.Received,
		Uploaded: v.Uploaded,
		Skipped:  saysNothing(v),
		Log:      v.Log,
		Stages:   make(map[string]time.Duration, len(v.Stages)),
		Report:   v.Report,
	}
	for _, s := range v.Stages {
		row.Stages[string(s.Stage)] += s.Took
	}
	if f := v.Failure; f != nil {
		row.Stage = string(f.Stage)
		row.Kind = string(f.Kind)
		row.Error = f.Err.Error()
		row.Advice = f.Help()
		row.Jump = f.Jump
	}
	return row
}

// errUnkept is in the chain of the error of a sweep some of whose visits could not be kept.
var errUnkept = errors.New("visits that could not be kept, and whose reports are lost")
