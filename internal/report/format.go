package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// FormatValue returns a value as a person reads it, with its unit: "93.4 %", "512 MiB", "21.5 MiB/s", "3d 4h", "71 °C",
// "12.3". Bytes are counted in steps of 1024, durations keep their two largest parts, and zeros after the point are
// dropped. A unit that Muster does not know follows the number, its unprintable characters made visible.
func FormatValue(value float64, unit string) string {
	switch unit {
	case "%":
		return decimal(value, 1) + " %"
	case "B":
		return size(value)
	case "B/s":
		return size(value) + "/s"
	case "s":
		return seconds(value)
	case "Cel":
		return decimal(value, 1) + " °C"
	case "1", "":
		return decimal(value, 2)
	case "1/s":
		return decimal(value, 2) + "/s"
	}
	return decimal(value, 2) + " " + Visible(unit, 20)
}

// ShortChannel returns a channel, or a name that begins with one, as a table shows it: of a file's path that makes it wider than
// most it is cut at the front, since what is nearest to the file and behind it tells the most. It may be wider still where the
// last part of the path alone is. width measures a text.
func ShortChannel(channel string, most int, width func(string) int) string {
	path, isFile := strings.CutPrefix(channel, FileChannel)
	if !isFile || width(channel) <= most {
		return channel
	}
	shortest := channel
	for i, r := range path {
		if i == 0 || r != '/' && r != '\\' {
			continue
		}
		shortest = FileChannel + "…" + path[i:]
		if width(shortest) <= most {
			break
		}
	}
	return shortest
}

// Visible returns text that is safe to show on a terminal, in a mail and in a log: whatever is not printable (control
// and bidirectional characters, line ends, invisible spaces, invalid UTF-8) is written as an escape such as \n, \u202e
// or \xff, and what is longer than limit runes is cut and ends in "…". A limit of 0 or less does not cut.
func Visible(text string, limit int) string {
	var b strings.Builder
	runes := 0
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		shown := text[:size]
		switch {
		case r == utf8.RuneError && size == 1:
			shown = fmt.Sprintf(`\x%02x`, text[0])
		case !unicode.IsPrint(r):
			shown = strings.Trim(strconv.QuoteRuneToASCII(r), "'")
		}
		length := utf8.RuneCountInString(shown)
		if limit > 0 && (runes+length > limit || runes+length == limit && len(text) > size) {
			b.WriteString("…")
			break
		}
		runes += length
		b.WriteString(shown)
		text = text[size:]
	}
	return b.String()
}

// plain is the number from which digits are no longer written out.
const plain = 1e15

// decimal writes value with at most places digits after the point, without zeros at their end.
func decimal(value float64, places int) string {
	if math.Abs(value) >= plain || math.IsNaN(value) {
		return strconv.FormatFloat(value, 'g', 6, 64)
	}
	text := strconv.FormatFloat(value, 'f', places, 64)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	if text == "-0" {
		return "0"
	}
	return text
}

func size(value float64) string {
	const step = 1024
	units := [...]string{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}
	at := 0
	// What would be rounded up to 1024 of a unit is written as 1 of the next.
	for math.Round(math.Abs(value)*10)/10 >= step && at < len(units)-1 {
		value /= step
		at++
	}
	return decimal(value, 1) + " " + units[at]
}

func seconds(value float64) string {
	length := math.Abs(value)
	sign := ""
	if value < 0 {
		sign = "-"
	}
	switch {
	case math.IsNaN(value) || length >= plain:
		return decimal(value, 1) + "s"
	case length == 0:
		return "0s"
	case math.Round(length*1e4)/10 < 1000:
		return decimal(value*1000, 1) + "ms"
	case math.Round(length*10)/10 < 60:
		return decimal(value, 1) + "s"
	}
	rest := int64(math.Round(length))
	var parts []string // the largest that there is and the one below it, if that isn't 0
	for _, part := range [...]struct {
		span int64
		name string
	}{{86400, "d"}, {3600, "h"}, {60, "m"}, {1, "s"}} {
		n := rest / part.span
		rest %= part.span
		if n > 0 {
			parts = append(parts, strconv.FormatInt(n, 10)+part.name)
		}
		if len(parts) == 2 || len(parts) == 1 && n == 0 {
			break
		}
	}
	return sign + strings.Join(parts, " ")
}
