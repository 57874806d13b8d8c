package cli

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"muster/internal/config"
)

func TestMoment(t *testing.T) {
	zone := time.FixedZone("there", 2*3600)
	now := time.Date(2026, 3, 14, 15, 9, 26, 0, zone)
	for text, want := range map[string]time.Time{
		"": {}, "now": now, "2h": now.Add(-2 * time.Hour), "-2h": now.Add(-2 * time.Hour), "1w": now.AddDate(0, 0, -7),
		"today":                time.Date(2026, 3, 14, 0, 0, 0, 0, zone),
		"yesterday":            time.Date(2026, 3, 13, 0, 0, 0, 0, zone),
		"14:30":                time.Date(2026, 3, 14, 14, 30, 0, 0, zone),
		"14:30:05":             time.Date(2026, 3, 14, 14, 30, 5, 0, zone),
		"2026-01-02":           time.Date(2026, 1, 2, 0, 0, 0, 0, zone),
		"2026-01-02 03:04":     time.Date(2026, 1, 2, 3, 4, 0, 0, zone),
		"2026-01-02T03:04:05":  time.Date(2026, 1, 2, 3, 4, 5, 0, zone),
		"2026-01-02T03:04:05Z": time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	} {
		if got, err := moment(text, now); err != nil || !got.Equal(want) {
			t.Errorf("%q is %v (%v), want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"soon", "25:00", "2026-02-30", "5", "2h ago"} {
		if got, err := moment(text, now); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
}

func TestLevelsFrom(t *testing.T) {
	for name, want := range map[string]string{
		"": "[]", "emerg": "[emergency]", "crit": "[emergency alert critical]", "error": "[emergency alert critical error]",
		"notice":        "[emergency alert critical error warning notice]",
		"information":   "[emergency alert critical error warning notice information audit-failure audit-success]",
		"debug":         "[emergency alert critical error warning notice information debug audit-failure audit-success]",
		"verbose":       "[emergency alert critical error warning notice information debug verbose audit-failure audit-success]",
		"audit-failure": "[audit-failure]", "audit-success": "[audit-failure audit-success]",
	} {
		if got, err := levelsFrom(name); err != nil || fmt.Sprint(got) != want {
			t.Errorf("%q: %v (%v), want %s", name, got, err, want)
		}
	}
}

// A channel of Windows is found however it is written; a file only as it is called.
func TestChannelsLike(t *testing.T) {
	cfg := &config.Config{Hosts: []config.Host{{Logs: []config.Logs{{Channel: "Security"}, {Channel: "file:/var/log/Auth"}}}}}
	got := channelsLike(cfg, []string{"security", "file:/var/log/auth", "Other"})
	if want := []string{"Security", "file:/var/log/auth", "Other"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
