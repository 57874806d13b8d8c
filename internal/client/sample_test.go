package client_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"muster/internal/client/stats"
	"muster/internal/report"
)

// meter is a source whose counter grows by 10 a second of the test's clock, and fails, or hangs, the second time.
func meter(second func() error) stats.Source {
	began := time.Now()
	times := 0
	return stats.Source{Name: "network", Read: func(context.Context) ([]report.Statistic, error) {
		if times++; times == 2 && second != nil {
			return nil, second()
		}
		return []report.Statistic{{
			Name: "network.received", Instance: "eth0", Unit: "B", Kind: report.Counter,
			Value: 1000 + 10*time.Since(began).Seconds(),
		}}, nil
	}}
}

func TestASampleGivesRates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reads := 0
		gauges := stats.Source{Name: "load", Read: func(context.Context) ([]report.Statistic, error) {
			reads++
			return []report.Statistic{load(1)}, nil
		}}
		p := &pass{request: newRequest(), sources: []stats.Source{gauges, meter(nil)}}
		p.request.Sample = 2 * time.Second
		began := time.Now()
		r := p.run(t)
		if took := time.Since(began); took != 2*time.Second || !r.Time.Equal(time.Now()) {
			t.Errorf("it took %v, and the report is of %v", took, r.Time)
		}
		values := make(map[string]float64)
		for _, s := range r.Statistics {
			values[s.Name] = s.Value
		}
		if values["network.received"] != 1020 || values["network.received.rate"] != 10 || len(values) != 3 || reads != 1 {
			t.Errorf("got %v, the gauges were read %d times", values, reads)
		}
	})
}

func TestASampleThatFails(t *testing.T) {
	for name, second := range map[string]func() error{
		"fails":  func() error { return errors.New("gone") },
		"panics": func() error { panic("gone") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &pass{request: newRequest(), sources: []stats.Source{meter(second), gives("load", load(1))}}
				p.request.Sample = time.Second
				r := p.run(t)
				// What was read the first time is not lost, and makes no rate of 0.
				if len(r.Statistics) != 2 || r.Statistics[0].Value != 1000 || r.Statistics[1] != load(1) {
					t.Errorf("got %+v", r.Statistics)
				}
				if got := failuresOf(r); !strings.HasPrefix(got, "network: ") || !strings.HasSuffix(got, "gone") {
					t.Errorf("failures: %s", got)
				}
			})
		})
	}
}

// The readings and the sample fit the deadline, even where every source hangs, and the sample is longer than it.
func TestASampleFitsTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		defer close(hang)
		p := &pass{request: newRequest(), sources: []stats.Source{
			meter(func() error { <-hang; return nil }), hangs(t, "disk"),
		}}
		p.request.Sample = time.Hour
		p.request.Deadline = 8 * time.Second
		began := time.Now()
		r := p.run(t)
		if took := time.Since(began); took != 6*time.Second {
			t.Errorf("it took %v", took)
		}
		if got := failuresOf(r); got != "network: no answer within 2s\ndisk: no answer within 2s" {
			t.Errorf("failures: %s", got)
		}
	})
}
