package wintest_test

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"muster/internal/report"
	"muster/internal/visit"
)

// processes returns the command lines of what runs in the prefix, without Wine's own server.
func (w *windows) processes() []string {
	var lines []string
	folders, _ := filepath.Glob("/proc/[0-9]*")
	for _, folder := range folders {
		environment, err := os.ReadFile(filepath.Join(folder, "environ"))
		if err != nil || !bytes.Contains(environment, []byte("WINEPREFIX="+filepath.Dir(w.Drive)+"\x00")) {
			continue
		}
		line, err := os.ReadFile(filepath.Join(folder, "cmdline"))
		if err == nil && len(line) > 0 && !bytes.Contains(line, []byte("wineserver")) {
			lines = append(lines, string(line))
		}
	}
	return lines
}

// machine is what the kernel says of the machine, in the words of a report.
type machine map[string]float64

// readMachine reads the machine's own counters.
func readMachine(t *testing.T, w *windows) machine {
	t.Helper()
	m := machine{"processes.count": float64(len(w.processes())), "cpu.count": float64(runtime.NumCPU())}
	// proc_stat(5): user nice system idle iowait irq softirq steal. Windows has three modes; Wine puts these into them.
	cpu := strings.Fields(firstLine(t, "/proc/stat", "cpu "))[1:]
	const ticks = 100
	for mode, columns := range map[string][]int{"user": {0, 1}, "system": {2, 4, 5, 6, 7}, "idle": {3}} {
		for _, column := range columns {
			m["cpu.time "+mode] += number(t, cpu[column]) / ticks
		}
	}
	m["memory.total"] = number(t, strings.Fields(firstLine(t, "/proc/meminfo", "MemTotal:"))[1]) * 1024
	m["memory.available"] = number(t, strings.Fields(firstLine(t, "/proc/meminfo", "MemAvailable:"))[1]) * 1024
	m["uptime"] = number(t, strings.Fields(firstLine(t, "/proc/uptime", ""))[0])
	var fs syscall.Statfs_t
	if err := syscall.Statfs(w.Drive, &fs); err != nil {
		t.Fatal(err)
	}
	m["disk.total C:"] = float64(fs.Blocks) * float64(fs.Bsize)
	m["disk.free C:"] = float64(fs.Bavail) * float64(fs.Bsize)
	devices, err := os.ReadFile("/proc/net/dev")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(devices)) {
		name, counters, ok := strings.Cut(strings.TrimSpace(line), ":")
		if fields := strings.Fields(counters); ok && len(fields) == 16 && name != "lo" {
			m["network.received "+name] = number(t, fields[0])
			m["network.sent "+name] = number(t, fields[8])
			m["network.packets.received "+name] = number(t, fields[1])
		}
	}
	return m
}

func firstLine(t *testing.T, file, prefix string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, prefix) {
			return line
		}
	}
	t.Fatalf("%s has no line %q", file, prefix)
	return ""
}

func number(t *testing.T, text string) float64 {
	t.Helper()
	value, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// tolerance is how far a statistic may be from the kernel's word, besides what changed during the visit. What differs is
// named here, because under Wine it does.
func tolerance(name string, want float64) float64 {
	switch name, _, _ := strings.Cut(name, " "); name {
	case "cpu.time":
		return 1 // s: the kernel's own columns are not of one moment
	case "memory.total":
		return 4096 // Wine takes a page off
	case "memory.available":
		return 0.1 * want // Wine reckons it from what is free and what is cached
	case "uptime":
		return 2 // s
	case "disk.free":
		return 1 << 30 // others write and remove, too
	case "processes.count":
		return 3 // those that begin and end with the visit
	}
	return 0
}

// testStatistics compares what a Windows client reports with what the kernel of the same machine says.
func testStatistics(t *testing.T, w *windows) {
	h := w.newHost(t)
	visitor := newVisitor(t)
	first := visitor.Visit(t.Context(), h.visited(t), sweep)
	wantReport(t, first)
	first.Acknowledge()
	before := readMachine(t, w)
	second := visitor.Visit(t.Context(), h.visited(t), sweep)
	wantReport(t, second)
	after := readMachine(t, w)

	reported := values(second.Report)
	for name, want := range before {
		got, ok := reported[name]
		if !ok {
			t.Errorf("%s is not reported", name)
			continue
		}
		low, high := min(want, after[name]), max(want, after[name])
		if allowed := tolerance(name, want); got < low-allowed || got > high+allowed || math.IsNaN(got) {
			t.Errorf("%s is %.2f, the kernel says %.2f to %.2f", name, got, low, high)
		}
	}
	for name := range reported { // of interfaces the kernel knows all
		if _, ok := before[name]; !ok && strings.HasPrefix(name, "network.received ") {
			t.Errorf("%s is reported, and the kernel does not know it", name)
		}
	}
	for _, name := range []string{"cpu.usage", "memory.usage", "memory.used", "disk.usage C:", "disk.used C:"} {
		if got, ok := reported[name]; !ok || got < 0 || strings.HasSuffix(name, "usage") && got > 100 {
			t.Errorf("%s is %v, %v", name, got, ok)
		}
	}
	testFailures(t, first, second)
}

// testFailures has one failure for each thing that Wine can't give, and none for anything else. docs/windows.md names them.
func testFailures(t *testing.T, visits ...*visit.Visit) {
	t.Helper()
	docs, err := os.ReadFile("../../docs/windows.md")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"diskio", "swap"}
	for _, v := range visits {
		if got := sources(v); !slices.Equal(got, want) {
			t.Errorf("these sources failed: %q, want %q: %v", got, want, v.Report.Failures)
		}
	}
	for _, source := range want {
		if !bytes.Contains(docs, []byte("`"+source+"`")) {
			t.Errorf("docs/windows.md does not name %s", source)
		}
	}
}

// values returns the statistics of a report by name and instance.
func values(r *report.Report) map[string]float64 {
	all := make(map[string]float64)
	for _, s := range r.Statistics {
		all[strings.TrimSpace(s.Name+" "+s.Instance)] = s.Value
	}
	return all
}
