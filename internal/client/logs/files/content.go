package files

import (
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// opened is a file that is open, and where its content is being read.
type opened struct {
	entry
	f    *os.File
	info os.FileInfo
	head []byte // of the content: what there was of the first bytes when it was opened, sample at most

	unpacked io.Reader // the content of a compressed file; nil: the file is plain
	at       int64     // offset in the content of what Read gives next
	before   []byte    // what stands before it, sample bytes at most
}

// open opens the file of an entry. It returns errMoved where the name is another file's by now.
func (e entry) open() (*opened, error) {
	f, err := openShared(e.path)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return nil, errMoved
		}
		return nil, err
	}
	o := &opened{entry: e, f: f}
	if err := o.look(); err != nil {
		f.Close()
		return nil, err
	}
	return o, nil
}

func (o *opened) look() error {
	id, info, err := identifyOpen(o.f)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return irregular(o.path, info.Mode())
	}
	if id+o.packed != o.id {
		return errMoved
	}
	o.info = info
	if err := o.rewind(); err != nil {
		return err
	}
	o.head, err = o.upTo(sample)
	if err != nil {
		return err
	}
	return o.rewind()
}

func (o *opened) close() { o.f.Close() }

// damaged says that a compressed file can't be unpacked, or not from there on.
type damaged struct{ err error }

func (d damaged) Error() string { return d.err.Error() }
func (d damaged) Unwrap() error { return d.err }

// rewind goes to the beginning of the content.
func (o *opened) rewind() error {
	o.at, o.before, o.unpacked = 0, nil, nil
	if o.packed == "" {
		return nil
	}
	if _, err := o.f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	switch o.packed {
	case ".gz":
		z, err := gzip.NewReader(o.f)
		if errors.Is(err, io.EOF) { // an empty file
			o.unpacked = bytes.NewReader(nil)
			return nil
		}
		if err != nil {
			return damaged{fmt.Errorf("%s can't be unpacked: %w", filepath.Base(o.path), err)}
		}
		o.unpacked = z
	case ".bz2":
		o.unpacked = bzip2.NewReader(o.f)
	default:
		return damaged{fmt.Errorf("%s is compressed in a way that the client can't unpack (it can .gz and .bz2)", filepath.Base(o.path))}
	}
	return nil
}

// Read reads on in the content.
func (o *opened) Read(p []byte) (n int, err error) {
	if o.unpacked == nil {
		n, err = o.f.ReadAt(p, o.at)
	} else if n, err = o.unpacked.Read(p); err != nil && err != io.EOF {
		var onDisk *os.PathError
		if !errors.As(err, &onDisk) {
			err = damaged{fmt.Errorf("%s can't be unpacked from byte %d on: %w", filepath.Base(o.path), o.at, err)}
		}
	}
	o.at += int64(n)
	return n, err
}

// upTo reads the next n bytes, or as many as there are.
func (o *opened) upTo(n int) ([]byte, error) {
	b := make([]byte, n)
	got, err := io.ReadFull(o, b)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) && !errors.As(err, new(damaged)) {
		err = nil
	}
	return b[:got], err
}

// seek goes to an offset in the content, or to its end where that comes first, and returns where it is. What stands
// before it is in before then. A compressed file is unpacked up to there: where ctx ends before that is an error.
func (o *opened) seek(ctx context.Context, offset int64) (int64, error) {
	if o.unpacked == nil {
		info, err := o.f.Stat()
		if err != nil {
			return 0, err
		}
		offset = min(offset, info.Size())
		o.at = max(0, offset-sample)
	} else {
		from := max(0, offset-sample)
		if o.at > from {
			if err := o.rewind(); err != nil {
				return 0, err
			}
		}
		// What is passed over is not kept: at the content's end before has only what comes after from.
		if err := o.pass(ctx, from); err != nil {
			return 0, err
		}
	}
	before, err := o.upTo(int(min(max(0, offset-o.at), sample))) // more is lacking where the content ends before
	o.before = before
	return o.at, err
}

// stride is how much is unpacked before the context is asked again: a few milliseconds of gzip.
const stride = 256 << 10

// pass reads and forgets up to an offset in the content, or its end.
func (o *opened) pass(ctx context.Context, offset int64) error {
	for from := o.at; o.at < offset; {
		if err := ctx.Err(); err != nil {
			return o.late(from, fmt.Sprintf("unpacked up to byte %d of the %d before the place", o.at, offset), err)
		}
		if _, err := io.CopyN(io.Discard, onlyReader{o}, min(stride, offset-o.at)); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
	return nil
}

// lateError says that a reading had not the time to get to the place where it is to begin.
type lateError struct {
	text string
	err  error // the context's
}

func (e *lateError) Error() string { return e.text }
func (e *lateError) Unwrap() error { return e.err }

// late returns a *lateError for a file of which so much was done from an offset on; where that is nothing it returns err, since
// the time was over before.
func (o *opened) late(from int64, done string, err error) error {
	if o.at == from {
		return err
	}
	return &lateError{fmt.Sprintf("the time was too short for %s, which was %s", filepath.Base(o.path), done), err}
}

// onlyReader hides everything but Read.
type onlyReader struct{ io.Reader }

// mark returns a mark at an offset before which the tail was read. It returns errMoved where the file was truncated
// meanwhile.
func (o *opened) mark(offset int64, tail []byte) (mark, error) {
	same, err := o.unchanged(offset, tail)
	if err == nil && !same {
		err = errMoved
	}
	if err == nil {
		err = o.grown()
	}
	return mark{offset, fingerprintOf(o.head[:min(int64(len(o.head)), offset)]), fingerprintOf(tail)}, err
}

// unchanged reports whether a plain file's content still begins as it did, and still has these bytes before the offset. A
// file that was truncated and written to anew does not.
func (o *opened) unchanged(offset int64, tail []byte) (bool, error) {
	if o.packed != "" {
		return true, nil
	}
	for _, part := range []struct {
		want []byte
		at   int64
	}{{tail, offset - int64(len(tail))}, {o.head, 0}} {
		got := make([]byte, len(part.want))
		n, err := o.f.ReadAt(got, part.at)
		if err != nil && err != io.EOF {
			return false, err
		}
		if !bytes.Equal(got[:n], part.want) {
			return false, nil
		}
	}
	return true, nil
}

// grown reads the head again, which may have been short when the file was opened.
func (o *opened) grown() error {
	if o.packed != "" || len(o.head) == sample {
		return nil
	}
	head := make([]byte, sample)
	n, err := o.f.ReadAt(head, 0)
	if err != nil && err != io.EOF {
		return err
	}
	if !bytes.HasPrefix(head[:n], o.head) {
		return errMoved
	}
	o.head = head[:n]
	return nil
}
