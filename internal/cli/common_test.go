package cli

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"muster/internal/config"
)

// TestDurationsInLogs writes a duration in both formats: it is the same text, with a unit.
func TestDurationsInLogs(t *testing.T) {
	for took, want := range map[time.Duration]string{
		10892882262 * time.Nanosecond: "10.893s", 10372123 * time.Nanosecond: "10.372ms", time.Minute: "1m0s", 0: "0s",
	} {
		var text, lines bytes.Buffer
		for format, out := range map[string]*bytes.Buffer{"text": &text, "json": &lines} {
			log, err := newLogging(config.Server{LogLevel: "info", LogFormat: format}, out, false)
			if err != nil {
				t.Fatal(err)
			}
			defer log.Close()
			log.With("timeout", took).Info("visit ended", "took", took)
		}
		var line struct{ Took, Timeout string }
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatalf("%v: %s", err, lines.String())
		}
		if line.Took != want || line.Timeout != want {
			t.Errorf("JSON: %s, want %s", lines.String(), want)
		}
		if !strings.Contains(text.String(), "took="+want) {
			t.Errorf("text: %s, want %s", text.String(), want)
		}
	}
}
