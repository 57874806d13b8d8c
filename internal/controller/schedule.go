package controller

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// late is how much older than what is noted a visit may be to pass for one that is delivered late: the store and the
// limits take what is older still for news by a clock that was put right.
const late = time.Hour

// namesKept is how many names of sweeps are remembered: those of eleven days where there is one a minute.
const namesKept = 1 << 14

// names gives sweeps their names: times in UTC to the millisecond. Two sweeps of one name would be one in the database.
//
// A name is the time of its sweep, by the clock, and later than the name before even where the clock was set back by up to
// an hour: until it has caught up names are a millisecond apart. That is the hour by which the store and the limits take
// what comes for late. A clock that was set back further was wrong before, and names follow it at once: those that were
// given meanwhile, in the future, are remembered, and not given again when that has come.
type names struct {
	mu    sync.Mutex
	last  time.Time
	given map[int64]struct{} // milliseconds since 1970
	order []int64            // of those that are given, a ring once it is full
	next  int                // the oldest of the ring
}

// name returns the name of a sweep that begins now.
func (n *names) name(now time.Time) time.Time {
	n.mu.Lock()
	defer n.mu.Unlock()
	name := now.UTC().Truncate(time.Millisecond)
	if !name.After(n.last) && n.last.Sub(name) <= late {
		name = n.last.Add(time.Millisecond)
	}
	if n.given == nil {
		n.given = make(map[int64]struct{})
	}
	for n.taken(name) {
		name = name.Add(time.Millisecond)
	}
	n.remember(name.UnixMilli())
	n.last = name
	return name
}

func (n *names) taken(name time.Time) bool {
	_, taken := n.given[name.UnixMilli()]
	return taken
}

func (n *names) remember(name int64) {
	n.given[name] = struct{}{}
	if len(n.order) < namesKept {
		n.order = append(n.order, name)
		return
	}
	delete(n.given, n.order[n.next])
	n.order[n.next] = name
	n.next = (n.next + 1) % namesKept
}

// beginning is the beginning of a sweep, as a file in the data directory keeps it for the next process.
type beginning struct {
	Sweep    time.Time `json:"sweep"`
	Interval string    `json:"interval"`
	Spread   string    `json:"spread"`
}

// beginningFile is the file's name.
const beginningFile = "sweep.json"

// note writes down that a sweep begins. The folder "" keeps nothing.
func (b beginning) note(folder string) error {
	if folder == "" {
		return nil
	}
	text, err := json.Marshal(b)
	if err != nil {
		return err
	}
	path := filepath.Join(folder, beginningFile)
	if err := os.WriteFile(path+".new", text, 0o600); err != nil { // one server at a time works on the folder
		return err
	}
	return os.Rename(path+".new", path)
}

// readBeginning returns what was written last; false if nothing was. What can't be read is an error.
func readBeginning(folder string) (b beginning, ok bool, err error) {
	if folder == "" {
		return b, false, nil
	}
	text, err := os.ReadFile(filepath.Join(folder, beginningFile))
	if errors.Is(err, fs.ErrNotExist) {
		return b, false, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &b)
	}
	if err != nil {
		return b, false, fmt.Errorf("when the last sweep began can't be read: %w", err)
	}
	return b, true, nil
}

// start says how a server begins.
type start struct {
	wait    time.Duration // until its first whole sweep
	passed  time.Duration // of the sweep before, that another process began and this one goes on with
	resumes bool          // it does
}

// startAfter returns how a server begins at a time, after the sweep of another process. Where that sweep is less than an
// interval ago the schedule goes on as if there had been no end: hosts that have had their turn are not asked again
// before the next sweep, however often the server is started, and those whose turn is yet to come have it.
func startAfter(last beginning, known bool, now time.Time, interval, spread time.Duration) start {
	passed := now.Sub(last.Sweep)
	if !known || passed < 0 || passed >= interval {
		return start{}
	}
	same := last.Interval == interval.String() && last.Spread == spread.String()
	return start{wait: interval - passed, passed: passed, resumes: same && passed < spread}
}
