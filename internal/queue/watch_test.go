package queue

import (
	"errors"
	"testing"
	"time"
)

// TestWatch has a server say how it is, at each tick, and whether a stream is being made.
func TestWatch(t *testing.T) {
	ill := errors.New("no such stream")
	type look struct {
		err    error
		making int32
	}
	for name, test := range map[string]struct {
		looks []look
		fails bool
	}{
		"well":                        {[]look{{}, {}, {}}, false},
		"ill":                         {[]look{{}, {err: ill}, {err: ill}}, true},
		"ill, and well again":         {[]look{{err: ill}, {}, {err: ill}, {}}, false},
		"while a stream is made":      {[]look{{ill, 1}, {ill, 1}, {ill, 2}, {ill, 1}}, false},
		"ill before and after":        {[]look{{err: ill}, {ill, 1}, {err: ill}}, false},
		"ill when the stream is made": {[]look{{ill, 1}, {err: ill}, {err: ill}}, true},
	} {
		t.Run(name, func(t *testing.T) {
			l := new(link)
			ticks, stop, stopped := make(chan time.Time), make(chan struct{}), make(chan struct{})
			answers := make(chan look)
			go func() {
				defer close(stopped)
				l.watch(ticks, stop, func() error {
					a := <-answers
					l.making.Store(a.making)
					return a.err
				})
			}()
			for _, a := range test.looks {
				ticks <- time.Time{}
				answers <- a
			}
			if !test.fails {
				close(stop)
			}
			<-stopped
			if (l.failed != nil) != test.fails {
				t.Errorf("failed: %v", l.failed)
			}
		})
	}
}
