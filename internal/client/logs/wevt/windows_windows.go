package wevt

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"

	"muster/internal/client/logs"
	"muster/internal/report"
)

// Source is the Windows event log: every channel that is neither systemd's journal nor a file.
func Source() logs.Source {
	return logs.Source{
		Takes: func(channel string) bool {
			return channel != report.Journal && !strings.HasPrefix(channel, report.FileChannel)
		},
		Read: func(ctx context.Context, q logs.Query) report.Logs {
			var w eventLog
			defer w.close()
			return Read(ctx, &w, q)
		},
	}
}

// eventLog is the event log of this machine. It is one goroutine's.
type eventLog struct {
	buffer     []uint16          // of the event that is rendered
	message    []uint16          // of the text that is formatted
	publishers map[string]handle // that are open; 0: it can't be opened
}

// close closes the publishers.
func (w *eventLog) close() {
	for _, h := range w.publishers {
		if h != 0 {
			closeHandle(h)
		}
	}
	w.publishers = nil
}

// Query is EvtQuery.
func (w *eventLog) Query(channel string, s Selection) (Results, error) {
	if err := ready(); err != nil {
		return nil, err
	}
	path, query := s.Text(channel)
	var name *uint16
	if path != "" {
		var err error
		if name, err = windows.UTF16PtrFromString(path); err != nil {
			return nil, InvalidChannelPath
		}
	}
	text, err := windows.UTF16PtrFromString(query)
	if err != nil {
		return nil, InvalidQuery
	}
	direction := uint32(queryForward)
	if s.NewestFirst {
		direction = queryReverse
	}
	h, err := evtQuery(0, name, text, queryChannelPath|direction)
	if err != nil {
		return nil, code(err)
	}
	return &results{log: w, channel: channel, handle: h}, nil
}

// Oldest is EvtGetLogInfo.
func (w *eventLog) Oldest(channel string) (int64, error) {
	if err := ready(); err != nil {
		return 0, err
	}
	name, err := windows.UTF16PtrFromString(channel)
	if err != nil {
		return 0, InvalidChannelPath
	}
	h, err := evtOpenLog(0, name, openChannelPath)
	if err != nil {
		return 0, code(err)
	}
	defer closeHandle(h)
	count, err := logInfo(h, logNumberOfRecords)
	if err != nil || count == 0 {
		return 0, err
	}
	return logInfo(h, logOldestRecord)
}

// logInfo returns one property of a log that is a number.
func logInfo(h handle, property uint32) (int64, error) {
	var v variant
	var used uint32
	if err := evtGetLogInfo(h, property, uint32(unsafe.Sizeof(v)), &v, &used); err != nil {
		return 0, code(err)
	}
	if v.kind != variantUInt64 || v.value > math.MaxInt64 {
		return 0, fmt.Errorf("property %d of the log is no number: kind %d: %w", property, v.kind, Code(0))
	}
	return int64(v.value), nil
}

// results is what EvtQuery returned.
type results struct {
	log     *eventLog
	channel string
	handle  handle
	handles []handle
}

// Next is EvtNext.
func (r *results) Next(ctx context.Context, events []Event) (int, error) {
	if len(r.handles) < len(events) {
		r.handles = make([]handle, len(events))
	}
	handles := r.handles[:len(events)]
	clear(handles)
	var n uint32
	if err := evtNext(r.handle, uint32(len(handles)), &handles[0], timeout(ctx), 0, &n); err != nil {
		// It returns no events with an error. If it did, they would be closed unread, and read after the query is made anew.
		for _, h := range handles[:min(int(n), len(handles))] {
			if h != 0 {
				closeHandle(h)
			}
		}
		return 0, code(err)
	}
	n = min(n, uint32(len(handles)))
	for i, h := range handles[:n] {
		events[i] = &event{log: r.log, handle: h}
	}
	if n == 0 {
		return 0, NoMoreItems
	}
	return int(n), nil
}

// timeout is how long Windows may take, in its words.
func timeout(ctx context.Context) uint32 {
	deadline, ok := ctx.Deadline()
	if !ok {
		return waitForEver
	}
	return uint32(min(max(time.Until(deadline).Milliseconds(), 0), waitForEver-1))
}

// MoveTo is EvtSeek to a bookmark. The XML of a bookmark is that of EvtRenderBookmark.
func (r *results) MoveTo(id int64) error {
	const form = `<BookmarkList><Bookmark Channel="%s" RecordId="%d" IsCurrent="true"/></BookmarkList>`
	text, err := windows.UTF16PtrFromString(fmt.Sprintf(form, escape(r.channel), id))
	if err != nil {
		return InvalidChannelPath
	}
	bookmark, err := evtCreateBookmark(text)
	if err != nil {
		return code(err)
	}
	defer closeHandle(bookmark)
	return code(evtSeek(r.handle, 0, bookmark, 0, seekToBookmark|seekStrict))
}

// Close is EvtClose.
func (r *results) Close() { closeHandle(r.handle) }

// event is one event that EvtNext returned.
type event struct {
	log    *eventLog
	handle handle
}

// XML is EvtRender.
func (e *event) XML() ([]uint16, error) {
	size := firstBufferInUTF16
	for {
		if len(e.log.buffer) < size {
			e.log.buffer = make([]uint16, size)
		}
		b := e.log.buffer
		var used, properties uint32 // in bytes
		err := evtRender(0, e.handle, renderEventXML, uint32(2*len(b)), &b[0], &used, &properties)
		if err == nil {
			return b[:min(int(used/2), len(b))], nil
		}
		size = int(used)/2 + 1
		if !errors.Is(code(err), NotEnough) || size <= len(b) || size > maxEventInUTF16 {
			return nil, code(err)
		}
	}
}

// Close is EvtClose.
func (e *event) Close() { closeHandle(e.handle) }

// Words is EvtFormatMessage. Publishers stay open until the log is closed.
func (e *event) Words(publisher string) (Words, error) {
	h, ok := e.log.publishers[publisher]
	if !ok {
		if name, err := windows.UTF16PtrFromString(publisher); err == nil {
			h, _ = evtOpenPublisherMetadata(0, name, nil, 0, 0) // 0: asked for once, not for each event
		}
		if e.log.publishers == nil {
			e.log.publishers = map[string]handle{}
		}
		e.log.publishers[publisher] = h
	}
	if h == 0 {
		return Words{}, PublisherNotFound
	}
	message, err := e.format(h, formatMessageEvent)
	if err != nil {
		return Words{}, err
	}
	words := Words{Message: strings.TrimRight(windows.UTF16ToString(message), "\r\n ")}
	keys, err := e.format(h, formatMessageKeys)
	if err != nil {
		return words, nil //nolint:nilerr // most events have no keywords with names
	}
	for len(keys) > 0 && keys[0] != 0 {
		word := windows.UTF16ToString(keys)
		words.Keywords = append(words.Keywords, strings.TrimSpace(word))
		end := 0
		for end < len(keys) && keys[end] != 0 {
			end++
		}
		keys = keys[min(end+1, len(keys)):]
	}
	return words, nil
}

// format returns a text of the event, or several with a NUL behind each. It is overwritten by the next call.
func (e *event) format(publisher handle, flags uint32) ([]uint16, error) {
	size := firstMessageInUTF16
	for {
		if len(e.log.message) < size {
			e.log.message = make([]uint16, size)
		}
		b := e.log.message
		var used uint32 // in characters
		err := evtFormatMessage(publisher, e.handle, 0, 0, nil, flags, uint32(len(b)), &b[0], &used)
		var c Code
		if err == nil || errors.As(code(err), &c) && c.Partial() {
			return b[:min(int(used), len(b))], nil
		}
		size = int(used) + 1
		if !errors.Is(code(err), NotEnough) || size <= len(b) || size > maxMessageInUTF16 {
			return nil, code(err)
		}
	}
}

// ready reports whether wevtapi.dll has what is called here: calling what it lacks would end the program.
func ready() error {
	for _, p := range []*windows.LazyProc{
		procEvtQuery, procEvtNext, procEvtSeek, procEvtRender, procEvtClose, procEvtCreateBookmark, procEvtOpenLog,
		procEvtGetLogInfo, procEvtOpenPublisherMetadata, procEvtFormatMessage,
	} {
		if err := p.Find(); err != nil {
			return fmt.Errorf("%w: %w", ProcNotFound, err)
		}
	}
	return nil
}

// code returns an error of the binding as a Code. The binding makes EINVAL of a failure for which Windows has no code.
func code(err error) error {
	var errno windows.Errno
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &errno):
		return err
	case errno == syscall.EINVAL:
		return Code(0)
	}
	return Code(errno)
}

// closeHandle closes a handle. That it can't be closed would be a mistake here, of which nobody could make anything.
func closeHandle(h handle) { _ = evtClose(h) }
