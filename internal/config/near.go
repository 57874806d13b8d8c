package config

import "strings"

// Nearest returns the known name that was probably meant by one that is not known: it differs by a slip or two of the
// keyboard, or begins with the whole name, upper or lower case. It is empty where none is near.
func Nearest(name string, known []string) string {
	spelt := make(map[string]string, len(known))
	lower := make([]string, len(known))
	for i, k := range known {
		lower[i] = strings.ToLower(k)
		spelt[lower[i]] = k
	}
	return spelt[nearest(name, lower)]
}
