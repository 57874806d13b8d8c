package remote

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/gofrs/flock"
	"golang.org/x/crypto/ssh"
	xknownhosts "golang.org/x/crypto/ssh/knownhosts"

	"muster/internal/failure"
)

const (
	// lockEvery is how often a lock that somebody else holds is tried.
	lockEvery = 10 * time.Millisecond
	// maxRewrites bounds how often a file is written anew because somebody else changed it meanwhile.
	maxRewrites = 20
)

var errMovedOn = errors.New("somebody else changes it all the time")

// Recorder writes a known_hosts file, and keeps what others write at the same time: ssh, ssh-keyscan, an editor, other
// recorders in this process and elsewhere.
//
// New lines are appended, those of many hosts that wait at once in one write, and are on disk when Record returns. Lines
// are removed by writing the file anew beside it and moving that into its place, with the same mode and owner; what was
// appended to the old one meanwhile is taken along. Recorders take turns by a lock on NAME.lock in the same folder, which
// stays there. A name behind a symbolic link is followed. Names are hashed where the last host of the file is, or Hash is
// set.
//
// It may be used by any number of goroutines at once.
type Recorder struct {
	Hash bool // hash names, also in a file that does not yet: ssh's HashKnownHosts. Set before the first use.

	path string
	turn chan struct{} // holds a token while somebody writes

	mu   sync.Mutex
	next *batch // of lines that wait for their turn; nil: none do

	read *written // what the file held last; used by whose turn it is
}

// batch is lines that are written together.
type batch struct {
	lines []*newLine
	done  chan struct{} // closed when they are
}

// newLine is a key to record.
type newLine struct {
	name string // as in known_hosts: web1 or [web1]:2222
	key  ssh.PublicKey
	err  *failure.Error // set before the batch is done
}

// written is the content of a file, and how to recognise that it is still that.
type written struct {
	info  fs.FileInfo
	lines *knownHosts
}

// NewRecorder returns what writes the known_hosts file at a path. Neither it nor its folder need exist.
func NewRecorder(path string) *Recorder { return &Recorder{path: path, turn: make(chan struct{}, 1)} }

// Record records a host's key, under its address and port, host:port, and returns when that is on disk. A key that is
// there already is not written again. Another key for the same name is failure.HostKeyChanged, and a revoked one
// failure.HostKeyRevoked: then nothing is written. Other failures are of the kind failure.Configuration, or of ctx.
func (r *Recorder) Record(ctx context.Context, address string, key ssh.PublicKey) error {
	if refused := r.record(ctx, address, key); refused != nil {
		return refused
	}
	return nil
}

func (r *Recorder) record(ctx context.Context, address string, key ssh.PublicKey) *failure.Error {
	line := &newLine{name: xknownhosts.Normalize(address), key: key}
	r.mu.Lock()
	if r.next == nil {
		r.next = &batch{done: make(chan struct{})}
	}
	mine := r.next
	mine.lines = append(mine.lines, line)
	r.mu.Unlock()
	select {
	case r.turn <- struct{}{}:
		defer func() { <-r.turn }()
	case <-mine.done:
		return line.err
	case <-ctx.Done():
		return because(newContextEnd(ctx))
	}
	select {
	case <-mine.done:
		return line.err
	default:
	}
	err := r.locked(ctx, func(path string) error { return r.appendNext(path) })
	if err != nil && ctx.Err() != nil {
		return because(newContextEnd(ctx)) // somebody else, who waits too, writes the batch
	}
	if err != nil {
		r.fail(err)
	}
	return line.err
}

// fail ends the batch that waits.
func (r *Recorder) fail(err error) {
	failed := configuration(fmt.Errorf("record a host's key in %s: %w", r.path, err),
		"see that the file and its folder can be written, or name another first in known-hosts=\"…\"")
	b := r.take()
	for _, line := range b.lines {
		line.err = failed
	}
	close(b.done)
}

// take takes the batch that waits. Later lines are in the next one.
func (r *Recorder) take() *batch {
	r.mu.Lock()
	defer r.mu.Unlock()
	b := r.next
	r.next = nil
	return b
}

// locked calls do with the file's own path while no other recorder writes it.
func (r *Recorder) locked(ctx context.Context, do func(path string) error) error {
	if err := os.MkdirAll(filepath.Dir(r.path), 0o700); err != nil {
		return err
	}
	path, err := filepath.EvalSymlinks(r.path)
	if errors.Is(err, fs.ErrNotExist) {
		path, err = r.path, nil
	}
	if err != nil {
		return err
	}
	lock := flock.New(path+".lock", flock.SetPermissions(0o600))
	defer func() { _ = lock.Close() }()
	if _, err := lock.TryLockContext(ctx, lockEvery); err != nil {
		return fmt.Errorf("lock: %w", err)
	}
	return do(path)
}

// appendNext writes the batch that waits.
func (r *Recorder) appendNext(path string) error {
	if _, err := r.load(path); err != nil {
		return err
	}
	b := r.take()
	err := r.appendLines(path, b.lines)
	if err != nil {
		r.read = nil
	}
	for _, line := range b.lines {
		if err != nil && line.err == nil {
			line.err = configuration(fmt.Errorf("record a host's key in %s: %w", r.path, err),
				"see that the file can be written, and that there is room on its disk")
		}
	}
	close(b.done)
	return nil
}

// load returns what the file holds, which is read again if it has changed.
func (r *Recorder) load(path string) (*knownHosts, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		r.read = nil
		return newKnownHosts(), nil
	}
	if err != nil {
		return nil, err
	}
	if r.read != nil && sameState(r.read.info, info) {
		return r.read.lines, nil
	}
	content, err := readSmall(path, maxKnownHosts)
	if err != nil {
		return nil, err
	}
	lines := newKnownHosts()
	if err := lines.add(path, content); err != nil {
		return nil, err
	}
	r.read = &written{info, lines}
	return lines, nil
}

// sameState tells whether a file is the one that it was, as far as can be told from outside.
func sameState(a, b fs.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// appendLines appends what is not in the file yet. Whoever moved another file into its place meanwhile did not know of
// them: they are appended to that one too.
func (r *Recorder) appendLines(path string, lines []*newLine) error {
	for range maxRewrites {
		known, err := r.load(path)
		if err != nil {
			return err
		}
		var text []byte
		for _, line := range lines {
			text = append(text, r.format(path, known, line)...)
		}
		if len(text) == 0 {
			return nil
		}
		done, err := appendText(path, text)
		if err != nil {
			return err
		}
		r.read = nil
		if done != nil {
			r.read = &written{done, known}
			return nil
		}
	}
	return errMovedOn
}

// format returns the line to append, none if the key is known or the line fails, and adds it to what is known.
func (r *Recorder) format(path string, known *knownHosts, line *newLine) []byte {
	line.err = nil
	host := new(knownHost)
	host.add(known.find(line.name))
	_, revoked := known.revoked[string(line.key.Marshal())]
	switch {
	case revoked:
		line.err = &failure.Error{Kind: failure.HostKeyRevoked,
			Err: fmt.Errorf("%s marks the %s as revoked", path, describeKey(line.key))}
		return nil
	case host.has(line.key):
		return nil
	case len(host.keys) > 0:
		line.err = host.changed(line.key)
		return nil
	}
	text := r.line(known, line.name, line.key)
	if err := known.addLine(&knownLine{file: path}, text[:len(text)-1]); err != nil {
		line.err = failure.New("", failure.Internal, err)
		return nil
	}
	return text
}

// line returns a line of known_hosts, with its end.
func (r *Recorder) line(known *knownHosts, name string, key ssh.PublicKey) []byte {
	if r.Hash || known.hashed {
		name = xknownhosts.HashHostname(name)
	}
	return slices.Concat([]byte(name+" "), ssh.MarshalAuthorizedKey(key))
}

// temporary returns a name beside a file that nobody uses.
func temporary(path string) string {
	return fmt.Sprintf("%s.%s.tmp", path, rand.Text()[:10])
}
