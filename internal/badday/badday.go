// Package badday is a fleet on loopback in which everything goes wrong that can: hosts that refuse, fall silent, talk without
// end, lie, cheat and die, each named after what is wrong with it, beside hosts on which nothing is. It is for tests: of a
// whole sweep, that none of them delays or harms another; and of the program, that none costs it memory.
//
// Days lists what can be wrong, with the failure that a visit must end with. Start starts a server for each, and for as
// many good hosts as are wanted. A bad host is good until Turn is called where its day says so: as a host whose key
// changes must have had another.
package badday

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"muster/internal/failure"
	"muster/internal/sshtest"
)

// Password is the one with which all hosts let anybody in.
const Password = "f1ne-day-password"

// Day is what is wrong with a host, and what becomes of a visit to it.
type Day struct {
	Name      string
	Server    func(o *sshtest.Options, end <-chan struct{}) // changes the server; nil: it is a good one. end is closed by Release
	Client    sshtest.Handler                               // runs in the client's place; nil: a good one
	Turn      func(*sshtest.Server)                         // is done to the server when the day turns; nil: nothing
	Later     bool                                          // it begins with Turn: before, visits are good
	File      bool                                          // its report comes in a file
	Timeout   failure.Stage                                 // the stage that has a short deadline; empty: none has
	Absent    bool                                          // there is nobody at its port
	Stage     failure.Stage
	Kind      failure.Kind // empty: a good report
	Advice    string       // words that its advice has
	Expensive bool         // it tries to make the server take memory
}

// Host is a host of the fleet. Day is nil where nothing is wrong with it.
type Host struct {
	Name   string
	Day    *Day
	Server *sshtest.Server
	Home   string
	turned atomic.Bool
}

// Fleet is a fleet that runs.
type Fleet struct {
	Folder string // of its files: known_hosts and password
	Hosts  []*Host
	end    chan struct{}
	once   sync.Once
}

// Start starts a host for each day, and good ones, in folders below folder. The caller closes the fleet.
func Start(folder string, days []Day, good int) (_ *Fleet, err error) {
	f := &Fleet{Folder: folder, end: make(chan struct{})}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	for i := range days {
		// Good hosts stand between the bad ones, behind and before.
		if len(f.Hosts)%2 == 0 && good > 0 {
			good--
			if err := f.add(fmt.Sprintf("good-%d", good), nil); err != nil {
				return nil, err
			}
		}
		if err := f.add(strings.ReplaceAll(days[i].Name, " ", "-"), &days[i]); err != nil {
			return nil, err
		}
	}
	for good > 0 {
		good--
		if err := f.add(fmt.Sprintf("good-%d", good), nil); err != nil {
			return nil, err
		}
	}
	var known strings.Builder
	for _, h := range f.Hosts {
		known.WriteString(h.Server.KnownHostsLine())
	}
	return f, errors.Join(
		os.WriteFile(filepath.Join(folder, "known_hosts"), []byte(known.String()), 0o600),
		os.WriteFile(filepath.Join(folder, "password"), []byte(Password), 0o600))
}

func (f *Fleet) add(name string, day *Day) error {
	h := &Host{Name: name, Day: day, Home: filepath.Join(f.Folder, "homes", name)}
	if err := os.MkdirAll(h.Home, 0o700); err != nil {
		return err
	}
	o := sshtest.Options{Home: h.Home, Password: Password, Exec: h.exec}
	if day != nil && day.Server != nil {
		day.Server(&o, f.end)
	}
	server, err := sshtest.New(o)
	if err != nil {
		return err
	}
	h.Server = server
	f.Hosts = append(f.Hosts, h)
	if day != nil && day.Absent {
		return server.Close()
	}
	return nil
}

// exec runs commands for real, and a handler in the client's place.
func (h *Host) exec(ctx context.Context, s *sshtest.Session) sshtest.Exit {
	name := filepath.Base(s.Command)
	if !strings.HasPrefix(name, "muster-client-") || strings.Contains(name, " ") {
		return sshtest.Shell(ctx, s)
	}
	if h.Day == nil || h.Day.Client == nil {
		return Good(ctx, s)
	}
	return h.Day.Client(ctx, s)
}

// Turn makes those hosts bad whose day begins later.
func (f *Fleet) Turn() {
	for _, h := range f.Hosts {
		if h.Day == nil {
			continue
		}
		h.turned.Store(true)
		if h.Day.Turn != nil {
			h.Day.Turn(h.Server)
		}
	}
}

// Want returns the failure with which a visit to the host must end now; nothing where it must be good.
func (h *Host) Want() (failure.Stage, failure.Kind) {
	if h.Day == nil || h.Day.Later && !h.turned.Load() {
		return "", ""
	}
	return h.Day.Stage, h.Day.Kind
}

// Connections returns how many connections are open to all hosts.
func (f *Fleet) Connections() (open int) {
	for _, h := range f.Hosts {
		n, _ := h.Server.Connections()
		open += n
	}
	return open
}

// Leftovers returns what visits have left on the hosts, but for the clients.
func (f *Fleet) Leftovers() ([]string, error) {
	var left []string
	for _, h := range f.Hosts {
		err := filepath.WalkDir(h.Home, func(path string, entry os.DirEntry, err error) error {
			if err == nil && !entry.IsDir() && !strings.HasPrefix(entry.Name(), "muster-client-") {
				left = append(left, path)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return left, nil
}

// Configuration returns <host> elements for those hosts that the function wants; a short deadline is timeout long, as in 2s.
func (f *Fleet) Configuration(timeout string, want func(*Host) bool) string {
	var b bytes.Buffer
	for _, h := range f.Hosts {
		if !want(h) {
			continue
		}
		transfer, timeouts := "stdout", ""
		if h.Day != nil && h.Day.File {
			transfer = "file"
		}
		if h.Day != nil && h.Day.Timeout != "" {
			timeouts = fmt.Sprintf(`<timeouts %s="%s"/>`, h.Day.Timeout, timeout)
		}
		fmt.Fprintf(&b, `  <host name="`)
		_ = xml.EscapeText(&b, []byte(h.Name))
		fmt.Fprintf(&b, `" address="127.0.0.1" port="%d" user="u" password="file:%s" known-hosts="%s" transfer="%s">%s</host>`+"\n",
			h.Server.Addr().Port, filepath.Join(f.Folder, "password"), filepath.Join(f.Folder, "known_hosts"), transfer, timeouts)
	}
	return b.String()
}

// Release lets go of what a host holds on to though nobody is connected any more: a login that never ends.
func (f *Fleet) Release() { f.once.Do(func() { close(f.end) }) }

// Close ends all hosts.
func (f *Fleet) Close() error {
	f.Release()
	var errs []error
	for _, h := range f.Hosts {
		errs = append(errs, h.Server.Close())
	}
	return errors.Join(errs...)
}
