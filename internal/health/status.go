package health

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Status is how the server is, as /status says it in JSON.
type Status struct {
	Healthy  bool      `json:"healthy"`
	Problems []Problem `json:"problems"` // why it is not healthy; empty where it is
	Version  string    `json:"version"`
	Started  time.Time `json:"started"`
	Time     time.Time `json:"time"`             // of this status
	Interval float64   `json:"interval_seconds"` // between two sweeps; 0: there is no schedule
	Running  []Sweep   `json:"running"`          // sweeps that are under way, the oldest first
	Sweep    *Sweep    `json:"last_sweep"`       // that ended last; nil: none has
	Hosts    Hosts     `json:"hosts"`
	Facts    *Facts    `json:"facts"` // nil: queue and outbox did not answer, and a problem says why
}

// Problem is a reason why the server is not healthy.
type Problem struct {
	Subject string `json:"subject"` // sweep queue database server
	Text    string `json:"text"`
}

// String returns the problem in one line.
func (p Problem) String() string { return p.Subject + ": " + p.Text }

// Sweep is a sweep as it stands.
type Sweep struct {
	Time      time.Time `json:"time"` // its scheduled time
	Started   time.Time `json:"started"`
	Ended     time.Time `json:"ended,omitzero"` // zero: it runs
	Seconds   float64   `json:"seconds"`        // that it took; 0: it runs
	Hosts     int       `json:"hosts"`          // to be visited
	Succeeded int       `json:"succeeded"`
	Failed    int       `json:"failed"`
	Skipped   int       `json:"skipped"` // not visited for reasons that are not the host's
}

// Hosts is how many hosts there are in the configuration, by what is known of them.
type Hosts struct {
	Up      int `json:"up"`      // the last visit brought a report
	Down    int `json:"down"`    // the last visit failed
	Unknown int `json:"unknown"` // not visited yet, or not for long
	LeftOut int `json:"series_left_out"`
}

// Status returns how the server is. It waits for the Source, five seconds at most where that keeps its promise.
func (h *Health) Status(ctx context.Context) *Status {
	now := h.now()
	s := &Status{
		Problems: []Problem{}, Version: h.version, Started: h.started, Time: now,
		Interval: h.schedule.Load().interval.Seconds(), Hosts: h.fleet.count(h.oldest(now)), Running: []Sweep{},
	}
	h.mu.Lock()
	for _, sweep := range h.running {
		s.Running = append(s.Running, *sweep)
	}
	if !h.last.Ended.IsZero() {
		last := h.last
		s.Sweep = &last
	}
	h.mu.Unlock()
	slices.SortFunc(s.Running, func(a, b Sweep) int { return a.Time.Compare(b.Time) })

	ctx, cancel := context.WithTimeout(ctx, factsTimeout)
	defer cancel()
	facts, err := h.source.Facts(ctx)
	if err != nil {
		s.problem("server", "queue and outbox do not answer: %v", err)
	} else {
		s.Facts = &facts
		s.judgeFacts()
	}
	s.judgeSweeps(h.schedule.Load().late)
	s.Healthy = len(s.Problems) == 0
	return s
}

// oldest returns before when a visit is too long ago to say anything of its host.
func (h *Health) oldest(now time.Time) time.Time {
	unknown := h.schedule.Load().unknown
	if unknown == 0 {
		return time.Time{}
	}
	return now.Add(-unknown)
}

func (s *Status) problem(subject, format string, values ...any) {
	s.Problems = append(s.Problems, Problem{Subject: subject, Text: fmt.Sprintf(format, values...)})
}

func (s *Status) judgeFacts() {
	if reason := s.Facts.Queue.Refusing; reason != "" {
		s.problem("queue", "new reports are refused: %s", reason)
	}
	if d := s.Facts.Database; !d.AwaySince.IsZero() {
		text := "away since " + d.AwaySince.UTC().Format(time.RFC3339)
		if d.Reason != "" {
			text += ": " + d.Reason
		}
		s.problem("database", "%s", text)
	}
}

func (s *Status) judgeSweeps(late time.Duration) {
	if late == 0 {
		return
	}
	since, what := s.Started, "the server was started"
	if s.Sweep != nil {
		since, what = s.Sweep.Ended, "the last one did"
	}
	if passed := s.Time.Sub(since); passed > late {
		s.problem("sweep", "none has ended for %s, since %s", passed.Truncate(time.Second), what)
	}
}
