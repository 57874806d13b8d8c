package config

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// longest is the length beyond which a name is not compared with others: nobody misspells so long a name.
const longest = 64

// nearest returns the known name that was probably meant: one that differs by a slip or two of the keyboard, or that
// begins with the whole name. It is empty where none is near.
func nearest(name string, known []string) string {
	if name == "" || len(name) > longest {
		return ""
	}
	best, least := "", max(1, utf8.RuneCountInString(name)/3)+1
	for _, candidate := range known {
		if d := distance(strings.ToLower(name), candidate); d < least {
			best, least = candidate, d
		}
	}
	if best != "" {
		return best
	}
	for _, candidate := range known {
		if strings.HasPrefix(candidate, strings.ToLower(name)) {
			return candidate
		}
	}
	return ""
}

// distance returns how many insertions, deletions, replacements and exchanges of neighbours lead from a to b (the
// optimal string alignment distance).
func distance(a, b string) int {
	from, to := []rune(a), []rune(b)
	var before []int
	last := make([]int, len(to)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(from); i++ {
		row := make([]int, len(to)+1)
		row[0] = i
		for j := 1; j <= len(to); j++ {
			replaced := last[j-1]
			if from[i-1] != to[j-1] {
				replaced++
			}
			row[j] = min(last[j]+1, row[j-1]+1, replaced)
			if i > 1 && j > 1 && from[i-1] == to[j-2] && from[i-2] == to[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(to)]
}

// suggestion returns the end of a message about an unknown name: the name that was probably meant, or else all.
func suggestion(name string, known []string, format string) string {
	if near := nearest(name, known); near != "" {
		return "did you mean " + fmt.Sprintf(format, near) + "?"
	}
	names := make([]string, len(known))
	for i, name := range slices.Sorted(slices.Values(known)) {
		names[i] = fmt.Sprintf(format, name)
	}
	return "known here: " + strings.Join(names, ", ")
}
