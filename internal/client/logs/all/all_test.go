package all_test

import (
	"runtime"
	"testing"

	"muster/internal/client/logs/all"
	"muster/internal/report"
)

// Each kind of channel has the one reader that this platform has for it, or none.
func TestEachChannelHasItsReader(t *testing.T) {
	for channel, want := range map[string]bool{
		report.FileChannel + "/var/log/auth.log": true,
		report.Journal:                           runtime.GOOS == "linux",
		"Security":                               runtime.GOOS == "windows",
		"Microsoft-Windows-TerminalServices-Gateway/Operational": runtime.GOOS == "windows",
	} {
		readers := 0
		for _, source := range all.Sources(nil) {
			if source.Read == nil {
				t.Fatal("there is a reader that does not read")
			}
			if source.Takes(channel) {
				readers++
			}
		}
		if readers > 1 || (readers == 1) != want {
			t.Errorf("%s has %d readers", channel, readers)
		}
	}
}
