package visit

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"muster/internal/failure"
	"muster/internal/remote"
	"muster/internal/report"
)

// Step is something that happened in a visit, for a person who looks into it.
type Step struct {
	Host  string
	At    time.Duration // since the visit began
	Stage failure.Stage
	Event string // what it is: short, lower case, never renamed
	Text  string // what happened: lines that are safe to show, without the password
}

// StageBegins is the event of the first step of each stage.
const StageBegins = "stage"

const (
	stepLines = 30  // of a step's text
	stepWidth = 400 // characters of each line
)

// tracer makes steps of events. The zero value is one that nobody listens to.
type tracer struct {
	tell func(Step)
	now  func() time.Time

	mu    sync.Mutex
	ended bool
	step  Step // what all steps of the visit have
	began time.Time
	words transcript // to make text fit to be shown
}

// listens tells whether anybody wants to know.
func (t *tracer) listens() bool { return t.tell != nil }

// event is for remote.Options.OnEvent. It is nil where nobody listens.
func (t *tracer) event() func(remote.Event) {
	if t.tell == nil {
		return nil
	}
	return func(e remote.Event) { t.note(e.Name(), e.String()) }
}

// begin notes that a stage begins.
func (t *tracer) begin(stage failure.Stage) {
	if t.tell == nil {
		return
	}
	t.mu.Lock()
	same := t.step.Stage == stage // a visit and its connection both begin to dial
	t.step.Stage = stage
	t.mu.Unlock()
	if !same {
		t.note(StageBegins, string(stage))
	}
}

// note tells of something. What comes after the end of the visit is not told.
func (t *tracer) note(event, text string) {
	if t.tell == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended {
		return
	}
	step := t.step
	step.At, step.Event, step.Text = t.now().Sub(t.began), event, t.fit(text)
	t.tell(step)
}

// end says that nothing more is to be told.
func (t *tracer) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended = true
}

// fit makes text fit to be shown, line by line, and bounds it.
func (t *tracer) fit(text string) string {
	lines := strings.Split(t.words.printable([]byte(text)), "\n")
	if more := len(lines) - stepLines; more > 0 {
		lines = append(lines[:stepLines:stepLines], fmt.Sprintf("… %d more lines", more))
	}
	for i, line := range lines {
		lines[i] = report.Visible(line, stepWidth)
	}
	return strings.Join(lines, "\n")
}

// noteReport tells what is in a report.
func (a *attempt) noteReport() {
	if !a.trace.listens() {
		return
	}
	text := fmt.Sprintf("the report of client %s on %s/%s holds %d statistics", a.report.Client, a.report.OS, a.report.Arch, len(a.report.Statistics))
	for _, f := range a.report.Failures {
		text += fmt.Sprintf("\nnot from %s: %s", f.Source, f.Reason)
	}
	a.trace.note("report", text)
}
