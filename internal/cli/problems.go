package cli

import (
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"muster/internal/config"
	"muster/internal/controller"
	"muster/internal/failure"
	"muster/internal/visit"
)

// problem is something that a person has to see to: a part of the server, or hosts that fail for one reason.
type problem struct {
	Part   string   `json:"part"` // queue database mail, hosts or logs
	Hosts  []string `json:"hosts,omitempty"`
	Stage  string   `json:"stage,omitempty"`
	Kind   string   `json:"kind,omitempty"`
	Log    string   `json:"log,omitempty"` // the channel that can't be read, where the part is logs
	Error  string   `json:"error"`
	Advice string   `json:"advice"`
}

const (
	namesAll   = 4 // hosts of a problem that are all named
	namesFirst = 3 // that are named where they are more
)

// String returns the problem in one line, without the advice.
func (p problem) String() string {
	if len(p.Hosts) == 0 {
		return p.Part + ": " + p.Error
	}
	names := strings.Join(p.Hosts, ", ")
	if n := len(p.Hosts); n > namesAll {
		names = fmt.Sprintf("%d hosts (%s and %d more)", n, strings.Join(p.Hosts[:namesFirst], ", "), n-namesFirst)
	}
	if p.Part == partLogs {
		return fmt.Sprintf("%s: log %s: %s", names, p.Log, p.Error)
	}
	return fmt.Sprintf("%s: %s: %s", names, p.Stage, p.Error)
}

// problemsOf returns what is wrong: first with the server's own parts, then with the hosts, those with one cause as one
// problem, in the order in which the hosts stand in the configuration.
func problemsOf(c *controller.Checked, hosts []config.Host) []problem {
	problems := []problem{}
	for _, p := range c.Parts {
		if p.Err != nil {
			problems = append(problems, problem{Part: p.Name, Error: p.Err.Error(), Advice: p.Advice})
		}
	}
	configured := make(map[string]*config.Host, len(hosts))
	for i := range hosts {
		configured[hosts[i].Name] = &hosts[i]
	}
	type cause struct{ stage, kind, text, host string } // the host only where the cause is its own
	place := make(map[cause]int)
	for _, v := range c.Visits {
		if v.Failure == nil {
			continue
		}
		text := v.Failure.Err.Error()
		advice := v.Failure.Help()
		key := cause{stage: string(v.Failure.Stage), kind: string(v.Failure.Kind), text: text, host: v.Host}
		h := configured[v.Host]
		switch {
		case v.Failure.Jump != "": // which is what they have in common, whatever else is said
			key = cause{stage: key.stage, kind: key.kind, text: v.Failure.Jump}
		case h != nil && isCommon(v.Failure.Kind):
			key.text, key.host = impersonal(text, h), ""
		}
		i, known := place[key]
		if !known {
			place[key] = len(problems)
			problems = append(problems, problem{
				Part: "hosts", Hosts: []string{v.Host}, Stage: key.stage, Kind: key.kind, Error: text, Advice: advice,
			})
			continue
		}
		p := &problems[i]
		p.Hosts = append(p.Hosts, v.Host)
		if v.Failure.Jump != "" {
			continue
		}
		if p.Error != text {
			p.Error = key.text
		}
		switch {
		case v.Failure.Kind == failure.HostKeyUnknown:
			p.Advice = "compare their fingerprints with the hosts' own (ssh-keygen -lf on each), and record them: muster trust"
		case p.Advice != advice:
			p.Advice = impersonal(advice, h)
		}
	}
	return problems
}

// partLogs is the part of problems with logs that can't be read, on hosts that are well otherwise.
const partLogs = "logs"

// logProblems returns which logs can't be read, those of one name and for one reason as one problem, in the order in which
// they were met.
func logProblems(c *controller.Checked, hosts []config.Host) []problem {
	configured := make(map[string]*config.Host, len(hosts))
	for i := range hosts {
		configured[hosts[i].Name] = &hosts[i]
	}
	type cause struct{ channel, kind, text string }
	place := make(map[cause]int)
	var problems []problem
	for _, v := range c.Visits {
		for i := range v.Logs {
			l := &v.Logs[i]
			if l.Trouble == nil {
				continue
			}
			key := cause{l.Channel, string(l.Trouble.Kind), l.Trouble.Text}
			if h := configured[v.Host]; h != nil {
				key.text = impersonal(key.text, h)
			}
			at, known := place[key]
			if !known {
				at = len(problems)
				place[key] = at
				problems = append(problems, problem{
					Part: partLogs, Log: l.Channel, Kind: key.kind, Error: l.Trouble.Text, Advice: visit.LogAdvice(l.Channel, l.Trouble.Kind),
				})
			}
			p := &problems[at]
			if p.Hosts = append(p.Hosts, v.Host); p.Error != l.Trouble.Text {
				p.Error = key.text
			}
		}
	}
	return problems
}

// isCommon tells whether failures of a kind may have one cause on many hosts. A host key that is not the known one is to be
// looked at host by host.
func isCommon(kind failure.Kind) bool {
	return kind != failure.HostKeyChanged && kind != failure.HostKeyRevoked
}

// anyOne stands in a text for what differs from host to host.
const anyOne = "…"

// impersonal returns a text without what is one host's own: its name, address and port, our end of its connections, and
// fingerprints.
func impersonal(text string, h *config.Host) string {
	port := strconv.Itoa(h.Port)
	for _, own := range []string{net.JoinHostPort(h.Address, port), h.Address, h.Name} {
		text = replaceWord(text, own, anyOne)
		text = replaceWord(text, strings.ToLower(own), anyOne)
	}
	text = regexp.MustCompile(`SHA256:[A-Za-z0-9+/]{43}`).ReplaceAllString(text, "SHA256:"+anyOne)
	text = regexp.MustCompile(`(read|write) (tcp|udp) \S+`).ReplaceAllString(text, "$1 $2 "+anyOne)
	return strings.ReplaceAll(text, "->"+anyOne, "")
}

// replaceWord replaces a word wherever it does not stand within a longer one.
func replaceWord(text, word, by string) string {
	if word == "" {
		return text
	}
	var b strings.Builder
	for {
		i := strings.Index(text, word)
		if i < 0 {
			b.WriteString(text)
			return b.String()
		}
		before, _ := utf8.DecodeLastRuneInString(text[:i])
		after, _ := utf8.DecodeRuneInString(text[i+len(word):])
		b.WriteString(text[:i])
		if isWordRune(before) || isWordRune(after) {
			b.WriteString(word)
		} else {
			b.WriteString(by)
		}
		text = text[i+len(word):]
	}
}

func isWordRune(r rune) bool {
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r))
}
