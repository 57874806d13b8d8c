package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"muster/internal/controller"
	"muster/internal/visit"
)

// converse visits one host and shows all that is said, as it is said.
func (c checkCommand) converse(ctx context.Context, env Env, o controller.CheckOptions) error {
	h := o.Hosts[0]
	var steps []stepResult
	o.Observer = nil // what is shown is progress enough
	o.OnStep = func(s visit.Step) { steps = append(steps, stepJSON(s)) }
	if !c.JSON {
		way := ""
		for hop := h.Via; hop != nil; hop = hop.Via {
			way = ", through " + hop.Name + way
		}
		fmt.Fprintf(env.Stdout, "%s: %s@%s, port %d%s\n", printable(h.Name), printable(h.User), printable(h.Address), h.Port, printable(way))
		printLogTerms(env.Stdout, &h)
		o.OnStep = func(s visit.Step) { printStep(env.Stdout, s) }
	}
	checked := controller.Check(ctx, o)
	var err error
	switch {
	case len(checked.Visits) == 0:
		err = errors.New("the visit was interrupted")
	case c.JSON:
		err = writeJSON(env.Stdout, conversationJSON(checked.Visits[0], steps))
	default:
		printOutcome(env.Stdout, checked.Visits[0])
	}
	if status := statusOfCheck(checked); status != nil && err == nil {
		return status
	} else if err != nil && checked.Cancelled {
		return &exitError{exitHosts, err}
	}
	return err
}

// printStep prints a stage's name, or what happened in it: the time since the beginning, and lines.
func printStep(w io.Writer, s visit.Step) {
	if s.Event == visit.StageBegins {
		fmt.Fprintf(w, "\n%s\n", s.Stage)
		return
	}
	for i, line := range strings.Split(s.Text, "\n") {
		at := ""
		if i == 0 {
			at = fmt.Sprintf("%.3fs", s.At.Seconds())
		}
		fmt.Fprintf(w, "%10s  %s\n", at, line)
	}
}

// printOutcome says how a visit ended.
func printOutcome(w io.Writer, v *visit.Visit) {
	fmt.Fprintln(w)
	var timings []string
	for _, t := range v.Stages {
		timings = append(timings, fmt.Sprintf("%s %s", t.Stage, t.Took.Round(10*time.Microsecond)))
	}
	if len(timings) > 0 {
		fmt.Fprintf(w, "stages: %s\n", strings.Join(timings, ", "))
		fmt.Fprintf(w, "bytes:  %s sent, %s received\n", grouped(v.Sent), grouped(v.Received))
	}
	if v.Failure != nil {
		fmt.Fprintf(w, "FAIL  %s: %s (%s)\n      %s\n", v.Failure.Stage, printable(v.Failure.Err.Error()), v.Failure.Kind,
			printable(v.Failure.Help()))
		return
	}
	for i := range v.Logs {
		l := &v.Logs[i]
		if l.Trouble != nil {
			fmt.Fprintf(w, "FAIL  log %s: %s (%s)\n      %s\n", printable(l.Channel), printable(l.Trouble.Text), l.Trouble.Kind,
				printable(visit.LogAdvice(l.Channel, l.Trouble.Kind)))
			continue
		}
		more := ""
		if l.More {
			more = ", and more to be read"
		}
		fmt.Fprintf(w, "ok    log %s: %s%s\n", printable(l.Channel), count(l.Records, "record"), more)
	}
	fmt.Fprintf(w, "ok    %s in %s\n", count(len(v.Report.Statistics), "statistic"), v.Took.Round(time.Millisecond))
}

type conversationResult struct {
	Host       string             `json:"host"`
	Address    string             `json:"address"`
	Steps      []stepResult       `json:"steps"`
	Stages     map[string]float64 `json:"stages"` // seconds
	Seconds    float64            `json:"seconds"`
	Sent       int64              `json:"sent"`
	Received   int64              `json:"received"`
	Statistics int                `json:"statistics"`
	Logs       []logResult        `json:"logs"`
	Failure    *failureResult     `json:"failure"` // null: there is a report
}

// logResult is how a log was read.
type logResult struct {
	Log     string `json:"log"`
	Records int    `json:"records"` // that came, and were not kept
	More    bool   `json:"more"`
	Kind    string `json:"kind,omitempty"` // of what is wrong; empty: it can be read
	Error   string `json:"error,omitempty"`
	Advice  string `json:"advice,omitempty"`
}

func logsJSON(v *visit.Visit) []logResult {
	logs := make([]logResult, 0, len(v.Logs))
	for i := range v.Logs {
		l := &v.Logs[i]
		r := logResult{Log: l.Channel, Records: l.Records, More: l.More}
		if t := l.Trouble; t != nil {
			r.Kind, r.Error, r.Advice = string(t.Kind), t.Text, visit.LogAdvice(l.Channel, t.Kind)
		}
		logs = append(logs, r)
	}
	return logs
}

type stepResult struct {
	At    float64 `json:"at"` // seconds since the beginning
	Stage string  `json:"stage"`
	Event string  `json:"event"`
	Text  string  `json:"text"`
}

func stepJSON(s visit.Step) stepResult {
	return stepResult{s.At.Seconds(), string(s.Stage), s.Event, s.Text}
}

func conversationJSON(v *visit.Visit, steps []stepResult) conversationResult {
	result := conversationResult{
		Host: v.Host, Address: v.Address, Steps: steps, Stages: make(map[string]float64), Seconds: v.Took.Seconds(),
		Sent: v.Sent, Received: v.Received, Logs: logsJSON(v),
	}
	for _, t := range v.Stages {
		result.Stages[string(t.Stage)] = t.Took.Seconds()
	}
	if v.Failure != nil {
		failed := failureJSON(v)
		result.Failure = &failed
	} else {
		result.Statistics = len(v.Report.Statistics)
	}
	return result
}
