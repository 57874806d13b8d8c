package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// startMost is how long JetStream may take to read what it has on disk.
const startMost = 2 * time.Minute

// embed starts JetStream in this process.
func embed(ctx context.Context, o Options) (*link, error) {
	if err := os.MkdirAll(o.Folder, 0o700); err != nil {
		return nil, err
	}
	key, err := ownKey(o.Folder)
	if err != nil {
		return nil, err
	}
	s, err := server.NewServer(&server.Options{
		ServerName:             "muster",
		DontListen:             true,
		NoSigs:                 true,
		JetStream:              true,
		StoreDir:               o.Folder,
		SyncAlways:             true,
		JetStreamKey:           key,
		JetStreamCipher:        server.ChaCha,
		JetStreamMaxMemory:     64 << 20,
		JetStreamMaxStore:      1 << 50, // the streams have their bounds, and the disk's are looked at before each write
		MaxPayload:             embeddedMax,
		MaxPending:             4 * embeddedMax,
		DisableJetStreamBanner: true,
		NoSystemAccount:        false,
	})
	if err != nil {
		return nil, err
	}
	s.SetLoggerV2(serverLog{o.Logger}, false, false, false)
	s.Start()
	l := &link{replicas: 1, ends: make(chan struct{})}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() { // ended by l.end, which waits for it
		defer close(stopped)
		if s.ReadyForConnections(startMost) {
			watchServer(s, stop, l.ends)
		}
	}()
	l.end = func() {
		close(stop)
		s.Shutdown()
		s.WaitForShutdown()
		<-stopped
	}
	if !s.ReadyForConnections(startTime(ctx)) {
		l.end()
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("JetStream did not start in %s: see the log", o.Folder)
	}
	if l.conn, err = nats.Connect("", nats.InProcessServer(s), nats.Name("muster"), nats.MaxReconnects(0),
		nats.NoReconnect()); err != nil {
		l.end()
		return nil, err
	}
	if !s.JetStreamEnabled() {
		l.close()
		return nil, errors.New("JetStream does not work: see the log")
	}
	return l, nil
}

func startTime(ctx context.Context) time.Duration {
	if deadline, ok := ctx.Deadline(); ok {
		return min(startMost, time.Until(deadline))
	}
	return startMost
}

// watchServer closes ends when JetStream stops while its server runs on, as it does when its disk is full. It returns
// then, or when stop is closed.
func watchServer(s *server.Server, stop <-chan struct{}, ends chan<- struct{}) {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-stop:
			return
		}
		if !s.Running() || !s.JetStreamEnabled() {
			close(ends)
			return
		}
	}
}

// serverLog writes the server's log to ours. What it does from day to day is of no interest.
type serverLog struct{ log *slog.Logger }

func (l serverLog) write(level slog.Level, format string, v ...any) {
	l.log.Log(context.Background(), level, "queue: "+fmt.Sprintf(format, v...))
}

func (l serverLog) Noticef(format string, v ...any) { l.write(slog.LevelDebug, format, v...) }
func (l serverLog) Warnf(format string, v ...any)   { l.write(slog.LevelWarn, format, v...) }
func (l serverLog) Errorf(format string, v ...any)  { l.write(slog.LevelError, format, v...) }
func (l serverLog) Fatalf(format string, v ...any)  { l.write(slog.LevelError, format, v...) }
func (l serverLog) Debugf(string, ...any)           {}
func (l serverLog) Tracef(string, ...any)           {}

// keyFile is where the key of the queue in a folder is.
func keyFile(folder string) string { return filepath.Clean(folder) + ".key" }
