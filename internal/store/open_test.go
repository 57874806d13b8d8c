package store

import (
	"context"
	"errors"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

func testOpenTwice(t *testing.T, x *target) {
	var log logBuffer
	o := x.fresh(t)
	o.Logger = log.logger()
	first := openStore(t, o)
	if n := strings.Count(log.String(), "database migrated"); n != 1 {
		t.Errorf("creation logged %d migrations: %s", n, log.String())
	}
	save(t, first, fleet(noon(), 2, 2)...)
	second := openStore(t, o)
	if n := strings.Count(log.String(), "database migrated"); n != 1 {
		t.Errorf("opening again migrated again: %s", log.String())
	}
	if n := count(t, second, "statistics"); n != 4 {
		t.Errorf("after opening again there are %d statistics, want 4", n)
	}
	if place := second.String(); !strings.HasPrefix(o.URL, place) {
		t.Errorf("the place is %q", place)
	}
}

func testOpenAtOnce(t *testing.T, x *target) {
	o := x.fresh(t)
	stores := make([]*Store, 5)
	var wg sync.WaitGroup
	for i := range stores {
		wg.Go(func() {
			s, err := Open(t.Context(), o)
			if err != nil {
				t.Errorf("server %d: %v", i, err)
				return
			}
			stores[i] = s
			if err := s.Save(t.Context(), fleet(noon(), 5, 2)); err != nil {
				t.Errorf("server %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	for i, s := range stores {
		if s == nil {
			continue
		}
		if n := count(t, s, "statistics"); n != 10 {
			t.Errorf("server %d sees %d statistics, want 10", i, n)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// testLockedVersions has somebody hold the table of versions for ever.
func testLockedVersions(t *testing.T, x *target) {
	x.needsServer(t)
	o := x.fresh(t)
	s := openStore(t, o)
	holder, err := s.pool.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer holder.Close()
	statements := []string{"BEGIN", "LOCK TABLE goose_db_version IN ACCESS EXCLUSIVE MODE"}
	if s.engine.name == "mysql" {
		statements = []string{"LOCK TABLES goose_db_version WRITE"}
	}
	for _, statement := range statements {
		if _, err := holder.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	for _, asIs := range []bool{false, true} {
		o.AsIs = asIs
		e, err := newEngine(o, o.Logger)
		if err != nil {
			t.Fatal(err)
		}
		e.timeout = 200 * time.Millisecond
		pool, err := e.open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := open(t.Context(), e, pool, o.Logger); !errors.Is(err, ErrUnavailable) {
			t.Errorf("as it is %v: %v, want ErrUnavailable", asIs, err)
		}
		_ = pool.Close()
	}
	release := "ROLLBACK"
	if s.engine.name == "mysql" {
		release = "UNLOCK TABLES"
	}
	if _, err := holder.ExecContext(t.Context(), release); err != nil {
		t.Fatal(err)
	}
}

func testNewer(t *testing.T, x *target) {
	o := x.fresh(t)
	s := openStore(t, o)
	if err := s.db.Exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, ?)", true).Error; err != nil {
		t.Fatal(err)
	}
	newer, err := Open(t.Context(), o)
	if err == nil {
		_ = newer.Close()
	}
	if !errors.Is(err, ErrNewer) || errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "9999") {
		t.Errorf("the error is %v, want ErrNewer with the version", err)
	}
}

func testWrongPassword(t *testing.T, x *target) {
	x.needsServer(t)
	const wrong = `Wr0ng-s3cr3t/@:?"'\ `
	var log logBuffer
	o := x.fresh(t)
	o.Logger, o.Password = log.logger(), wrong
	s, err := Open(t.Context(), o)
	if err == nil {
		_ = s.Close()
	}
	if !errors.Is(err, ErrDenied) || !errors.Is(err, ErrUnavailable) {
		t.Fatalf("the error is %v, want ErrDenied", err)
	}
	said := err.Error() + log.String()
	for _, secret := range []string{wrong, url.QueryEscape(wrong), url.PathEscape(wrong), "s3cr3t", x.server.Password} {
		if strings.Contains(said, secret) {
			t.Errorf("the password is in what was said: %s", said)
		}
	}
	for _, hint := range []string{"muster@127.0.0.1", "check the user"} {
		if !strings.Contains(err.Error(), hint) {
			t.Errorf("the error does not say %q: %v", hint, err)
		}
	}
}

func testClosedPort(t *testing.T, x *target) {
	x.needsServer(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	o := x.fresh(t)
	o.URL = strings.Replace(o.URL, x.server.Address(), address, 1)

	// It accepts, and says nothing: the caller's patience decides.
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := Open(ctx, o); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a mute server: %v, want that the time is over", err)
	}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), o); !errors.Is(err, ErrUnavailable) || errors.Is(err, ErrDenied) ||
		!strings.Contains(err.Error(), address) {
		t.Errorf("a closed port: %v, want ErrUnavailable with the address", err)
	}
}

func testOutage(t *testing.T, x *target) {
	x.needsServer(t)
	s := x.open(t)
	save(t, s, fleet(noon(), 10, 2)...)
	x.server.Stop(t)
	visits := fleet(noon().Add(time.Minute), 10, 2)
	if err := s.Save(t.Context(), visits); !errors.Is(err, ErrUnavailable) {
		t.Errorf("without a server: %v, want ErrUnavailable", err)
	}
	if _, err := s.Status(t.Context()); !errors.Is(err, ErrUnavailable) {
		t.Errorf("without a server: %v, want ErrUnavailable", err)
	}
	if _, err := s.Cursors(t.Context(), map[string][]string{"web1": {"journal"}}); !errors.Is(err, ErrUnavailable) {
		t.Errorf("without a server: %v, want ErrUnavailable", err)
	}
	x.server.Start(t)
	save(t, s, visits...)
	outageUnderLoad(t, x, s)
}

// outageUnderLoad restarts the server while visits are saved, each until it is; everything must be there once.
func outageUnderLoad(t *testing.T, x *target, s *Store) {
	begun, refused, back := make(chan struct{}), make(chan struct{}), make(chan struct{})
	sweeps := make(chan int, 1)
	go func() {
		n := 0
		defer func() { sweeps <- n }()
		for after := 0; after < 20; n++ {
			if n == 20 {
				close(begun)
			}
			visits := fleet(noon().Add(time.Duration(n)*time.Minute), 10, 2)
			for err := s.Save(t.Context(), visits); err != nil; err = s.Save(t.Context(), visits) {
				if !errors.Is(err, ErrUnavailable) {
					t.Errorf("sweep %d: %v, want ErrUnavailable", n, err)
					return
				}
				select {
				case <-refused:
				default:
					close(refused)
				}
			}
			select {
			case <-back:
				after++
			default:
			}
		}
	}()
	<-begun
	x.server.Stop(t)
	<-refused
	x.server.Start(t)
	close(back)
	n := <-sweeps
	if got := count(t, s, "statistics"); got != n*20 {
		t.Errorf("%d statistics are stored, want %d", got, n*20)
	}
	if got := count(t, s, "visits"); got != n*10 {
		t.Errorf("%d visits are stored, want %d", got, n*10)
	}
}
