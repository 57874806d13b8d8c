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

// startMost is how long a server may take to be ready after it has read what it has on disk, which Start waits for.
const startMost = 5 * time.Second

// endMost is how long a server may take to end. It writes what it knows of its streams then, which takes a moment.
const endMost = 30 * time.Second

// embed starts JetStream in this process, and waits until it has read what is on disk.
func embed(ctx context.Context, o Options) (*link, error) {
	if err := os.MkdirAll(o.Folder, 0o700); err != nil {
		return nil, err
	}
	key, err := ownKey(o.Folder)
	if err != nil {
		return nil, err
	}
	if err := mend(o.Folder, o.Logger); err != nil {
		return nil, err
	}
	streams, err := vet(o.Folder)
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
	l := &link{replicas: 1, bound: endMost}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() { // ended by l.end, which waits for it
		defer close(stopped)
		ticker := time.NewTicker(lookEvery / 2)
		defer ticker.Stop()
		l.watch(ticker.C, stop, func() error { return health(s) })
	}()
	l.end = func() {
		close(stop)
		<-stopped
		s.Shutdown()
		s.WaitForShutdown()
	}
	if err := errors.Join(ready(ctx, s), lost(streams)); err != nil {
		return nil, errors.Join(err, l.close())
	}
	if l.conn, err = nats.Connect("", nats.InProcessServer(s), nats.Name("muster"), nats.MaxReconnects(0),
		nats.NoReconnect()); err != nil {
		return nil, errors.Join(err, l.close())
	}
	return l, nil
}

// ready returns an error where a server has not started, or has not found everything that is in its folder. The latter is
// not passed over: a stream that is made in the place of one that could not be read hides what waits in that.
func ready(ctx context.Context, s *server.Server) error {
	switch err := ctx.Err(); {
	case err != nil:
		return err
	case !s.ReadyForConnections(startMost):
		return errors.New("JetStream did not start: see the log")
	case !s.JetStreamEnabled():
		return errors.New("JetStream does not work: see the log")
	}
	return health(s)
}

// healthTries is how often a server is asked whether it is well until it says so.
const healthTries = 10

// health returns what is wrong with JetStream. After an error of a write, as on a full disk, a stream takes nothing more
// and does not answer; only a new start makes it try again.
func health(s *server.Server) error {
	// It gives itself a millisecond to show that it is ready, which a busy machine may spend elsewhere.
	var ill string
	for range healthTries {
		if ill = s.Healthz(nil).Error; ill == "" {
			return nil
		}
	}
	return errors.New(ill)
}

// watch has the link fail when JetStream can't write any more while its server runs on, as when its disk is full: when
// health says so at two ticks. It returns then, or when stop is closed. A server seems ill while a stream is being made,
// however long that takes.
func (l *link) watch(ticks <-chan time.Time, stop <-chan struct{}, health func() error) {
	for ill := 0; ; {
		select {
		case <-ticks:
		case <-stop:
			return
		}
		err := health()
		if err == nil || l.making.Load() > 0 {
			ill = 0
			continue
		}
		if ill++; ill == 2 { // once: a stream was made a moment ago
			l.fail(err)
			return
		}
	}
}

// serverLog writes the server's log to ours. What it does from day to day is of no interest.
type serverLog struct{ log *slog.Logger }

func (l serverLog) write(level slog.Level, format string, v ...any) {
	l.log.Log(context.Background(), level, "JetStream says", "message", fmt.Sprintf(format, v...))
}

func (l serverLog) Noticef(format string, v ...any) { l.write(slog.LevelDebug, format, v...) }
func (l serverLog) Warnf(format string, v ...any)   { l.write(slog.LevelWarn, format, v...) }
func (l serverLog) Errorf(format string, v ...any)  { l.write(slog.LevelError, format, v...) }
func (l serverLog) Fatalf(format string, v ...any)  { l.write(slog.LevelError, format, v...) }
func (l serverLog) Debugf(string, ...any)           {}
func (l serverLog) Tracef(string, ...any)           {}

// keyFile is where the key of the queue in a folder is.
func keyFile(folder string) string { return filepath.Clean(folder) + ".key" }
