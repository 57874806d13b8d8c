package syslog

import (
	"strings"
	"time"

	"muster/internal/report"
)

// parseLevel reads what follows the time where it begins with a level: "[error] 123#4: text" as nginx writes it, or
// "ERROR text". It returns false, with r as it was, where it does not.
func parseLevel(r *report.Record, text string) bool {
	word, rest, bracketed := cutBrackets(text)
	if !bracketed {
		word, rest, _ = strings.Cut(text, " ")
		word = strings.TrimSuffix(word, ":")
	}
	if len(word) > len("emergency") {
		return false
	}
	level := levelName(strings.ToLower(word))
	if level == "" {
		return false
	}
	r.Level, r.Message = level, rest
	ids, after, found := strings.Cut(rest, ": ")
	process, thread, both := strings.Cut(ids, "#")
	if !bracketed || !found || !both {
		return true
	}
	id, ok := number(process)
	if _, isThread := number(thread); ok && isThread {
		r.Process, r.Message = id, after
	}
	return true
}

// parseApache reads a line of an error log of Apache: "[time] [module:level] [pid 123:tid 4] text". The thread and the
// client's address stay in the message.
func parseApache(r *report.Record, line string, zone *time.Location) {
	r.Message = line
	stamp, rest, ok := cutBrackets(line)
	if !ok {
		return
	}
	at, after, ok := cutCtime(stamp, zone)
	if !ok || after != "" {
		return
	}
	r.Time, r.Message = at, rest
	inside, rest, ok := cutBrackets(rest)
	if !ok {
		return
	}
	module, name, both := strings.Cut(inside, ":")
	if !both {
		module, name = "", inside // Apache 2.2
	}
	level := levelName(name)
	if level == "" {
		return
	}
	r.Level, r.Source, r.Message = level, module, rest
	inside, after, ok = cutBrackets(rest)
	process, isProcess := strings.CutPrefix(inside, "pid ")
	if !ok || !isProcess {
		return
	}
	process, thread, threaded := strings.Cut(process, ":")
	if id, ok := number(process); ok {
		r.Process, r.Message = id, after
		if threaded {
			r.Message = "[" + thread + "] " + after
		}
	}
}

// cutBrackets reads "[inside] ".
func cutBrackets(text string) (inside, rest string, ok bool) {
	if text == "" || text[0] != '[' {
		return "", text, false
	}
	end := strings.IndexByte(text, ']')
	if end < 0 {
		return "", text, false
	}
	return text[1:end], strings.TrimPrefix(text[end+1:], " "), true
}
