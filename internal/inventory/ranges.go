package inventory

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// hasRange reports whether a name holds a range of Ansible's: [01:20], [a:f], [0:10:2].
func hasRange(name string) bool {
	_, _, _, found := cutRange(name)
	return found
}

// cutRange returns what stands before, in and after the first range of a name. An IPv6 address in brackets is none.
func cutRange(name string) (before, inner, after string, found bool) {
	before, rest, opened := strings.Cut(name, "[")
	inner, after, closed := strings.Cut(rest, "]")
	if !opened || !closed || !strings.Contains(inner, ":") {
		return name, "", "", false
	}
	if _, err := netip.ParseAddr(inner); err == nil {
		return name, "", "", false
	}
	return before, inner, after, true
}

// expand returns the names that a name with ranges means; an error where they are more than most.
func expand(name string, most int) ([]string, error) {
	before, inner, after, found := cutRange(name)
	if !found {
		return []string{name}, nil
	}
	middle, err := span(inner, most)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", quoted(name), err)
	}
	ends, err := expand(after, most)
	if err != nil {
		return nil, err
	}
	if len(middle)*len(ends) > most {
		return nil, fmt.Errorf("%s: %w", quoted(name), errTooMany)
	}
	names := make([]string, 0, len(middle)*len(ends))
	for _, m := range middle {
		for _, end := range ends {
			names = append(names, before+m+end)
		}
	}
	return names, nil
}

var (
	errTooMany = fmt.Errorf("more than %d hosts", MaxHosts)
	errRange   = errors.New("not a range: it must be two numbers or two letters, as in web[01:20], and a step may follow")
)

// span returns what a range means: numbers, with zeros before them if the first has, or letters.
func span(inner string, most int) ([]string, error) {
	parts := strings.Split(inner, ":")
	step := 1
	if len(parts) == 3 {
		var err error
		if step, err = strconv.Atoi(parts[2]); err != nil || step < 1 {
			return nil, errRange
		}
	}
	if len(parts) > 3 || len(parts) < 2 || parts[1] == "" {
		return nil, errRange
	}
	from, to := parts[0], parts[1]
	if from == "" {
		from = "0"
	}
	if letter(from) && letter(to) {
		return spanLetters(from[0], to[0], step)
	}
	first, err := number(from)
	last, err2 := number(to)
	width := 0
	if len(from) > 1 && from[0] == '0' {
		if width = len(from); len(from) != len(to) {
			return nil, errors.New("not a range: with zeros before them, both numbers must be of the same length")
		}
	}
	if err != nil || err2 != nil || first > last {
		return nil, errRange
	}
	if (last-first)/step >= most {
		return nil, errTooMany
	}
	var names []string
	for i := first; i <= last; i += step {
		names = append(names, fmt.Sprintf("%0*d", width, i))
	}
	return names, nil
}

func letter(text string) bool {
	return len(text) == 1 && (text[0] >= 'a' && text[0] <= 'z' || text[0] >= 'A' && text[0] <= 'Z')
}

func spanLetters(from, to byte, step int) ([]string, error) {
	if from > to || from <= 'Z' && to >= 'a' {
		return nil, errRange
	}
	var names []string
	for i := int(from); i <= int(to); i += step {
		names = append(names, string(rune(i)))
	}
	return names, nil
}

// number reads a whole number without a sign, small enough to count with.
func number(text string) (int, error) {
	if len(text) > 9 || strings.Trim(text, "0123456789") != "" {
		return 0, errRange
	}
	return strconv.Atoi(text)
}

// cutPort returns a name without the port that follows it: host:22, or [2001:db8::1]:22. A colon within a range is none.
func cutPort(name string) (host, port string) {
	colon := strings.LastIndexByte(name, ':')
	if colon < 0 || colon == len(name)-1 || strings.Trim(name[colon+1:], "0123456789") != "" {
		return unbracketed(name), ""
	}
	before := name[:colon]
	if strings.HasPrefix(before, "[") && strings.HasSuffix(before, "]") {
		if bare := unbracketed(before); bare != before {
			return bare, name[colon+1:]
		}
	}
	if outside := withoutRanges(before); strings.ContainsAny(outside, ":[") {
		return name, "" // an IPv6 address, or within a range
	}
	return before, name[colon+1:]
}

// unbracketed returns an IPv6 address without the brackets around it.
func unbracketed(name string) string {
	if inner, ok := strings.CutPrefix(name, "["); ok {
		if inner, ok = strings.CutSuffix(inner, "]"); ok {
			if _, err := netip.ParseAddr(inner); err == nil {
				return inner
			}
		}
	}
	return name
}

// withoutRanges returns what stands outside of closed brackets.
func withoutRanges(name string) string {
	var rest strings.Builder
	for {
		before, _, after, found := cutRange(name)
		rest.WriteString(before)
		if !found {
			return rest.String()
		}
		name = after
	}
}
