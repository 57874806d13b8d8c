package report_test

import (
	"math"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"muster/internal/report"
)

func TestFormatValue(t *testing.T) {
	const k, m, g = 1024.0, 1024.0 * 1024, 1024.0 * 1024 * 1024
	tests := []struct {
		value float64
		unit  string
		want  string
	}{
		{93.4, "%", "93.4 %"},
		{90, "%", "90 %"},
		{99.96, "%", "100 %"},
		{0.04, "%", "0 %"},
		{-0.01, "%", "0 %"},

		{0, "B", "0 B"},
		{999, "B", "999 B"},
		{1023, "B", "1023 B"},
		{1023.96, "B", "1 KiB"},
		{1024, "B", "1 KiB"},
		{1536, "B", "1.5 KiB"},
		{512 * m, "B", "512 MiB"},
		{1024*m - 1, "B", "1 GiB"},
		{-1.5 * g, "B", "-1.5 GiB"},
		{3.25 * g * k, "B", "3.2 TiB"},
		{5 * g * g, "B", "5 EiB"},
		{5000 * g * g, "B", "5000 EiB"},
		{1e300, "B", "8.67362e+281 EiB"},
		{21.5 * m, "B/s", "21.5 MiB/s"},
		{0.5, "B/s", "0.5 B/s"},

		{0, "s", "0s"},
		{0.25, "s", "250ms"},
		{0.0004, "s", "0.4ms"},
		{0.99996, "s", "1s"},
		{1, "s", "1s"},
		{12.5, "s", "12.5s"},
		{59.94, "s", "59.9s"},
		{59.96, "s", "1m"},
		{60, "s", "1m"},
		{300, "s", "5m"},
		{330, "s", "5m 30s"},
		{3599.6, "s", "1h"},
		{3600, "s", "1h"},
		{3601, "s", "1h"},
		{7500, "s", "2h 5m"},
		{86400, "s", "1d"},
		{86400*3 + 3600*4 + 59*60, "s", "3d 4h"},
		{86400 * 400, "s", "400d"},
		{-7500, "s", "-2h 5m"},
		{1e18, "s", "1e+18s"},

		{71, "Cel", "71 °C"},
		{-3.25, "Cel", "-3.2 °C"},
		{12.3, "1", "12.3"},
		{0.256, "1", "0.26"},
		{1234567, "1", "1234567"},
		{1e21, "1", "1e+21"},
		{7, "", "7"},
		{0.5, "1/s", "0.5/s"},
		{4, "rpm", "4 rpm"},
		{4, "r\npm\u202e", `4 r\npm\u202e`},
		{math.NaN(), "s", "NaNs"},
		{math.NaN(), "%", "NaN %"},
		{math.Inf(1), "B", "+Inf EiB"},
		{math.Inf(-1), "s", "-Infs"},
	}
	for _, test := range tests {
		if got := report.FormatValue(test.value, test.unit); got != test.want {
			t.Errorf("FormatValue(%v, %q) = %q, want %q", test.value, test.unit, got, test.want)
		}
	}
}

func TestVisible(t *testing.T) {
	tests := []struct {
		text  string
		limit int
		want  string
	}{
		{"", 5, ""},
		{"/var/log", 0, "/var/log"},
		{`C:\new`, 0, `C:\new`},
		{"Fläche 磁盘", 0, "Fläche 磁盘"},
		{"it's", 0, "it's"},
		{"a\r\nBcc: x", 0, `a\r\nBcc: x`},
		{"\x1b[31mred\x00\x7f", 0, `\x1b[31mred\x00\x7f`},
		{"abc\u202edef\u2066\u200b\ufeff", 0, `abc\u202edef\u2066\u200b\ufeff`},
		{"a\u2028b\u00a0c", 0, `a\u2028b\u00a0c`},
		{"\xff\xfea", 0, `\xff\xfea`},
		{"\ufffd", 0, "\ufffd"},
		{"\U000e0041", 0, `\U000e0041`},
		{"12345", 5, "12345"},
		{"123456", 5, "1234…"},
		{"äöüß€", 5, "äöüß€"},
		{"äöüß€x", 5, "äöüß…"},
		{"123\n", 5, `123\n`},
		{"123\n4", 5, "123…"},
		{"\u202e", 5, "…"},
	}
	for _, test := range tests {
		if got := report.Visible(test.text, test.limit); got != test.want {
			t.Errorf("Visible(%q, %d) = %q, want %q", test.text, test.limit, got, test.want)
		}
	}
}

func FuzzVisible(f *testing.F) {
	for _, seed := range []string{"", "web1", "a\nb", "\x1b]0;x\a", "\u202e", "\xff", strings.Repeat("é", 50)} {
		f.Add(seed, 10)
	}
	f.Fuzz(func(t *testing.T, text string, limit int) {
		got := report.Visible(text, limit)
		if !utf8.ValidString(got) {
			t.Fatalf("Visible(%q) = %q is not UTF-8", text, got)
		}
		for _, r := range got {
			if !unicode.IsPrint(r) {
				t.Fatalf("Visible(%q) = %q holds %q", text, got, r)
			}
		}
		if limit > 0 && utf8.RuneCountInString(got) > limit {
			t.Fatalf("Visible(%q, %d) = %q is too long", text, limit, got)
		}
		if again := report.Visible(got, 0); again != got {
			t.Fatalf("Visible is not stable: %q, then %q", got, again)
		}
	})
}

func FuzzFormatValue(f *testing.F) {
	f.Add(93.4, "%")
	f.Add(59.97, "s")
	f.Add(1023.97, "B")
	f.Add(1e308, "B/s")
	f.Fuzz(func(t *testing.T, value float64, unit string) {
		got := report.FormatValue(value, unit)
		if got == "" || len(got) > 200 || strings.ContainsAny(got, "\r\n") {
			t.Fatalf("FormatValue(%v, %q) = %q", value, unit, got)
		}
	})
}

func BenchmarkFormatValue(b *testing.B) {
	for b.Loop() {
		report.FormatValue(21.5*1024*1024, "B/s")
	}
}
