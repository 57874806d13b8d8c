package queue

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/nats-io/nats.go/jetstream"
)

// Check tells whether Open would find what it needs, and changes nothing, so that it may run beside a server that has the
// queue open: that a server of the cluster lets us in and has JetStream; or, of the queue in this process, that its key fits
// and that the disk has room. It returns where the queue is, and how it is, for people.
//
// Errors: ErrUnavailable, ErrKey, ErrFull where the disk has no room, or ctx's.
func Check(ctx context.Context, o Options) (string, error) {
	if o.Cluster != nil {
		return checkCluster(ctx, o)
	}
	if Exists(o.Folder) {
		if _, err := ownKey(o.Folder); err != nil { // which writes nothing where there is a queue
			return o.Folder, unavailable("read the queue's key", err)
		}
	}
	free, err := o.freeSpace(existing(o.Folder))
	switch {
	case err != nil:
		return o.Folder, unavailable("look for room", err)
	case free < minFree:
		return o.Folder, fmt.Errorf("%w: the disk has %d MiB left, and at least %d MiB are wanted", ErrFull, free>>20, minFree>>20)
	}
	return fmt.Sprintf("%s, %d MiB free", o.Folder, free>>20), nil
}

func (o *Options) freeSpace(folder string) (uint64, error) {
	if o.FreeSpace != nil {
		return o.FreeSpace(folder)
	}
	return freeSpace(folder)
}

func checkCluster(ctx context.Context, o Options) (string, error) {
	log := o.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	l, err := dial(ctx, o.Cluster, log)
	if err != nil {
		return "", unavailable("connect to the cluster", err)
	}
	defer func() { _ = l.close() }() // of a connection
	asked, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	js, err := jetstream.New(l.conn)
	if err != nil {
		return "", unavailable("ask for JetStream", err)
	}
	account, err := js.AccountInfo(asked)
	if err != nil {
		return "", unavailable("ask for JetStream", err)
	}
	return fmt.Sprintf("%s, %d streams", l.conn.ConnectedUrlRedacted(), account.Streams), nil
}

// existing returns the folder itself, or the nearest above it that exists.
func existing(folder string) string {
	for {
		_, err := os.Stat(folder)
		above := filepath.Dir(folder)
		if !errors.Is(err, fs.ErrNotExist) || above == folder {
			return folder
		}
		folder = above
	}
}
