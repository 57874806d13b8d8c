package stats

import (
	"encoding/binary"
	"errors"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/shirou/gopsutil/v4/cpu"
	"github.com/shirou/gopsutil/v4/disk"
	"github.com/shirou/gopsutil/v4/mem"
	"github.com/shirou/gopsutil/v4/net"
	"github.com/shirou/gopsutil/v4/sensors"

	"muster/internal/report"
)

// expect compares what a source gave with all of what is wanted.
func expect(t *testing.T, got, want map[string]float64) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(got)) {
		if w, ok := want[name]; !ok {
			t.Errorf("%s = %v is not wanted", name, got[name])
		} else if math.Abs(w-got[name]) > 1e-9*math.Abs(w) {
			t.Errorf("%s = %v, want %v", name, got[name], w)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if _, ok := got[name]; !ok {
			t.Errorf("%s is missing", name)
		}
	}
}

func TestCPUTimesAddUp(t *testing.T) {
	all := cpu.TimesStat{
		User: 1, System: 2, Idle: 4, Nice: 8, Iowait: 16, Irq: 32, Softirq: 64, Steal: 128, Guest: 256, GuestNice: 512,
	}
	for platform, want := range map[string]float64{
		"linux": 255, "freebsd": 1 + 2 + 4 + 8 + 32, "darwin": 1 + 2 + 4 + 8, "windows": 1 + 2 + 4,
	} {
		sum := 0.0
		for _, s := range cpuTimes(all, platform) {
			sum += s.Value
		}
		if sum != want {
			t.Errorf("on %s the modes add up to %v, want %v", platform, sum, want)
		}
	}
	// The catalogue names the modes that a client sends, and no others.
	definition, _ := report.Lookup("cpu.time")
	_, listed, _ := strings.Cut(definition.Description, "(")
	listed, _, _ = strings.Cut(listed, ")")
	var sent []string
	for _, s := range cpuTimes(all, "linux") {
		sent = append(sent, s.Instance)
	}
	if named := strings.Split(listed, ", "); !slices.Equal(slices.Sorted(slices.Values(named)), slices.Sorted(slices.Values(sent))) {
		t.Errorf("the catalogue names the modes %v, the client sends %v", named, sent)
	}
	expect(t, values(cpuTimes(all, "linux")), map[string]float64{
		"cpu.time user": 1, "cpu.time system": 2, "cpu.time idle": 4, "cpu.time nice": 8, "cpu.time iowait": 16,
		"cpu.time irq": 32, "cpu.time softirq": 64, "cpu.time steal": 128,
	})
}

func TestMemoryStatistics(t *testing.T) {
	m := mem.VirtualMemoryStat{Total: 1000, Available: 250, Used: 1, UsedPercent: 1, Cached: 70}
	want := map[string]float64{"memory.usage": 75, "memory.total": 1000, "memory.used": 750, "memory.available": 250}
	expect(t, values(memoryStatistics(&m, "windows")), want)
	want["memory.cached"] = 70
	expect(t, values(memoryStatistics(&m, "linux")), want)

	odd := mem.VirtualMemoryStat{Total: 1000, Available: 1 << 62} // a container's own total, the machine's available
	expect(t, values(memoryStatistics(&odd, "darwin")),
		map[string]float64{"memory.usage": 0, "memory.total": 1000, "memory.used": 0, "memory.available": 1000})
}

func TestSwapStatistics(t *testing.T) {
	s := mem.SwapMemoryStat{Total: 4000, Used: 1000, Sin: 8192, Sout: 4096}
	want := map[string]float64{"swap.total": 4000, "swap.used": 1000, "swap.usage": 25}
	expect(t, values(swapStatistics(&s, "freebsd", 4096)), want)
	want["swap.in"], want["swap.out"] = 8192, 4096
	expect(t, values(swapStatistics(&s, "linux", 4096)), want)
	want["swap.in"], want["swap.out"] = 16*8192, 16*4096
	expect(t, values(swapStatistics(&s, "linux", 64<<10)), want)

	none := swapStatistics(&mem.SwapMemoryStat{}, "darwin", 16384)
	expect(t, values(none), map[string]float64{"swap.total": 0, "swap.used": 0})
}

func TestNetworkStatistics(t *testing.T) {
	got := networkStatistics([]net.IOCountersStat{
		{Name: "lo", BytesRecv: 9}, {Name: "lo0", BytesRecv: 9}, {Name: ""},
		{Name: "Loopback Pseudo-Interface 1", BytesRecv: 9},
		{
			Name: "em1*", BytesRecv: 1, BytesSent: 2, PacketsRecv: 3, PacketsSent: 4,
			Errin: 5, Errout: 6, Dropin: 7, Dropout: 8,
		},
		{Name: "lora0"},
	})
	want := map[string]float64{
		"network.received em1": 1, "network.sent em1": 2,
		"network.packets.received em1": 3, "network.packets.sent em1": 4,
		"network.errors.received em1": 5, "network.errors.sent em1": 6,
		"network.dropped.received em1": 7, "network.dropped.sent em1": 8,
	}
	for name := range maps.Clone(want) {
		want[strings.Replace(name, "em1", "lora0", 1)] = 0
	}
	expect(t, values(got), want)
}

func TestTemperatureStatistics(t *testing.T) {
	read := []sensors.TemperatureStat{
		{SensorKey: "nvme_composite", Temperature: 40.5},
		{SensorKey: "nvme_composite", Temperature: 41.5},
		{SensorKey: "outside", Temperature: -12},
		{SensorKey: "frozen", Temperature: 0},
		{SensorKey: "", Temperature: 20},
		{SensorKey: "broken", Temperature: -273.15},
		{SensorKey: "loose", Temperature: 65261.85},
		{SensorKey: "none", Temperature: math.NaN()},
	}
	want := map[string]float64{
		"temperature nvme_composite": 40.5, "temperature nvme_composite#2": 41.5, "temperature outside": -12,
	}
	expect(t, values(temperatureStatistics(read, "darwin")), want)
	want["temperature frozen"] = 0
	expect(t, values(temperatureStatistics(read, "linux")), want)
}

func TestDiskIOStatistics(t *testing.T) {
	d := disk.IOCountersStat{ReadBytes: 1, WriteBytes: 2, ReadCount: 3, WriteCount: 4, IoTime: 5500}
	want := map[string]float64{"disk.read sda": 1, "disk.written sda": 2, "disk.reads sda": 3, "disk.writes sda": 4}
	expect(t, values(diskIOStatistics("sda", d, "windows")), want)
	want["disk.busy sda"] = 5.5
	expect(t, values(diskIOStatistics("sda", d, "linux")), want)
}

// devstat is a record of kern.devstat.all, with a number in each counter that says which one it is.
func devstat(name string, unit int32, busySeconds uint64, busyFraction uint64) []byte {
	b := make([]byte, devstatSize)
	copy(b[44:60], name)
	binary.LittleEndian.PutUint32(b[60:], uint32(unit))
	for i, group := range []int{64, 96} { // bytes, operations: none, read, write, free
		for j := range 4 {
			binary.LittleEndian.PutUint64(b[group+8*j:], uint64(100*(i+1)+j))
		}
	}
	binary.LittleEndian.PutUint64(b[192:], busySeconds)
	binary.LittleEndian.PutUint64(b[200:], busyFraction)
	return b
}

func TestParseDevstat(t *testing.T) {
	raw := slices.Concat(
		make([]byte, 8), // the generation
		devstat("ada", 0, 3, 1<<63), devstat("pass", 0, 9, 0), devstat("", 0, 9, 0), devstat("cd", 0, 9, 0),
		devstat("nda", 12, 0, 0), devstat("sixteen.letters.", 1, 0, 0),
	)
	got := parseDevstat(raw)
	want := []disk.IOCountersStat{
		{Name: "ada0", ReadBytes: 101, WriteBytes: 102, ReadCount: 201, WriteCount: 202, IoTime: 3500},
		{Name: "nda12", ReadBytes: 101, WriteBytes: 102, ReadCount: 201, WriteCount: 202},
		{Name: "sixteen.letters.1", ReadBytes: 101, WriteBytes: 102, ReadCount: 201, WriteCount: 202},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	// Cut anywhere, it gives the records that are whole.
	for length := range raw {
		if n := len(parseDevstat(raw[:length])); n > len(want) {
			t.Fatalf("of %d bytes it makes %d devices", length, n)
		}
	}
	if n := len(parseDevstat(raw[:len(raw)-1])); n != 2 {
		t.Errorf("of an incomplete last record it makes a device: %d", n)
	}
}

func TestNoAnswerSaysWhatToDo(t *testing.T) {
	err := error(noAnswer{3749999999})
	if got := err.Error(); got != "no answer within 3.75s; is what it is mounted from still there?" {
		t.Error(got)
	}
	if !errors.As(err, new(noAnswer)) {
		t.Error("its type is lost")
	}
}
