package stats

import (
	"bufio"
	"context"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/shirou/gopsutil/v4/common"

	"muster/internal/report"
)

// on returns a context in which /proc, /sys, /run and /var are below the folder.
func on(t *testing.T, folder string) context.Context {
	return context.WithValue(t.Context(), common.EnvKey, common.EnvMap{
		common.HostProcEnvKey: filepath.Join(folder, "proc"),
		common.HostSysEnvKey:  filepath.Join(folder, "sys"),
		common.HostRunEnvKey:  filepath.Join(folder, "run"),
		common.HostVarEnvKey:  filepath.Join(folder, "var"),
		common.HostDevEnvKey:  filepath.Join(folder, "dev"),
	})
}

// procFields returns the fields of the lines of a file in /proc by their first field, without its colon.
func procFields(t *testing.T, name string) map[string][]string {
	t.Helper()
	file, err := os.Open("/proc/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	all := make(map[string][]string)
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if fields := strings.Fields(lines.Text()); len(fields) > 0 {
			all[strings.TrimSuffix(fields[0], ":")] = fields[1:]
		}
	}
	return all
}

func number(t *testing.T, text string) float64 {
	t.Helper()
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// near checks a value that may have moved a little since it was read for comparison.
func near(t *testing.T, name string, got, want, tolerance float64) {
	t.Helper()
	if math.Abs(got-want) > tolerance {
		t.Errorf("%s is %v, the kernel says %v", name, got, want)
	}
}

// Every entry of the catalogue for Linux is given by this machine, or the machine visibly does not have it.
func TestAllOfTheCatalogueIsGiven(t *testing.T) {
	given := make(map[string]bool)
	for _, source := range Sources() {
		statistics, err := source.Read(t.Context())
		if err != nil {
			t.Errorf("%s: %v", source.Name, err)
		}
		for _, s := range statistics {
			given[s.Name] = true
		}
	}
	for _, d := range report.Catalogue() {
		if d.Source == "server" || !slices.Contains(strings.Fields(d.Platforms), "linux") || given[d.Name] {
			continue
		}
		if reason := absence(t, d); reason != "" {
			t.Logf("%s: %s", d.Name, reason)
		} else {
			t.Errorf("%s is not given", d.Name)
		}
	}
}

// absence says why a machine does not have a statistic, or nothing where it should.
func absence(t *testing.T, d report.Definition) string {
	t.Helper()
	exists := func(pattern string) bool {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		return len(found) > 0
	}
	switch {
	case d.Name == "swap.usage" && len(procFields(t, "swaps")) == 1:
		return "no swap"
	case d.Source == "temperature" &&
		!exists("/sys/class/hwmon/*/temp*_input") && !exists("/sys/class/thermal/thermal_zone*"):
		return "no sensor"
	case d.Source == "users" && !exists("/var/run/utmp") && !exists("/run/systemd/sessions"):
		return "no record of sessions"
	case d.Source == "network" && !exists("/sys/class/net/[!l][!o]*"):
		return "no interface but the loopback"
	case d.Source == "diskio" && !exists("/sys/block/[!lr]*"):
		return "no disk"
	}
	return ""
}

func TestMemoryIsTheKernels(t *testing.T) {
	got := values(readSource(t, "memory"))
	meminfo := procFields(t, "meminfo")
	near(t, "memory.total", got["memory.total"], 1024*number(t, meminfo["MemTotal"][0]), 0)
	near(t, "memory.available", got["memory.available"], 1024*number(t, meminfo["MemAvailable"][0]), 512<<20)
	near(t, "memory.used", got["memory.used"], got["memory.total"]-got["memory.available"], 0)
	near(t, "memory.usage", got["memory.usage"], 100*got["memory.used"]/got["memory.total"], 1e-9)
}

func TestCPUIsTheKernels(t *testing.T) {
	before := procFields(t, "stat")
	got := values(readSource(t, "cpu"))
	cpus := 0
	for name := range before {
		if strings.HasPrefix(name, "cpu") && name != "cpu" {
			cpus++
		}
	}
	near(t, "cpu.count", got["cpu.count"], float64(cpus), 0)
	for i, mode := range []string{"user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal"} {
		near(t, "cpu.time "+mode, got["cpu.time "+mode], number(t, before["cpu"][i])/100, 10)
	}
}

func TestUptimeIsTheKernels(t *testing.T) {
	var clock syscall.Sysinfo_t
	if err := syscall.Sysinfo(&clock); err != nil {
		t.Fatal(err)
	}
	near(t, "uptime", values(readSource(t, "uptime"))["uptime"], float64(clock.Uptime), 2)
}

func TestLoadAndProcessesAreTheKernels(t *testing.T) {
	processes, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	got := values(readSource(t, "processes"))
	near(t, "processes.count", got["processes.count"], float64(len(processes)), 0.2*float64(len(processes))+20)
	if got["processes.running"] < 1 {
		t.Errorf("%v processes run, and this is one", got["processes.running"])
	}
	load, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		t.Fatal(err)
	}
	near(t, "load.15", values(readSource(t, "load"))["load.15"], number(t, strings.Fields(string(load))[2]), 1)
}

func TestTheRootIsReported(t *testing.T) {
	got := values(readSource(t, "disk"))
	var root syscall.Statfs_t
	if err := syscall.Statfs("/", &root); err != nil {
		t.Fatal(err)
	}
	size := float64(root.Bsize)
	near(t, "disk.total /", got["disk.total /"], float64(root.Blocks)*size, 0)
	near(t, "disk.free /", got["disk.free /"], float64(root.Bavail)*size, 512<<20)
	used := float64(root.Blocks-root.Bfree) * size
	near(t, "disk.usage /", got["disk.usage /"], 100*used/(used+float64(root.Bavail)*size), 5)
}

func TestParseUptime(t *testing.T) {
	for text, want := range map[string]float64{"350735.47 234388.90\n": 350735.47, "0.02 0.00\n": 0.02, "7\n": 7} {
		if got, err := parseUptime(text); err != nil || got != want {
			t.Errorf("%q: got %v and %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "\n", "soon 1.0\n", "-1 2\n"} {
		if got, err := parseUptime(text); err == nil {
			t.Errorf("%q: got %v and no error", text, got)
		}
	}
}

// A machine whose files are known: what comes of them is known to the last digit.
func TestAKnownMachine(t *testing.T) {
	ctx := on(t, place(t, map[string]string{
		"proc/stat": "cpu  1000 20 300 40000 50 6 7 8 900 10\ncpu0 500 10 150 20000 25 3 4 4 450 5\n" +
			"cpu1 500 10 150 20000 25 3 3 4 450 5\nintr 1 2 3\nctxt 5\nbtime 1700000000\nprocesses 99\n" +
			"procs_running 3\nprocs_blocked 1\n",
		"proc/1/stat":  "",
		"proc/23/stat": "",
		"proc/self":    "",
		"proc/uptime":  "12345.67 1.00\n",
		"proc/meminfo": "MemTotal: 1000 kB\nMemFree: 100 kB\nMemAvailable: 400 kB\nBuffers: 10 kB\nCached: 200 kB\n" +
			"SReclaimable: 30 kB\n",
		"proc/loadavg": "0.11 2.22 3.33 1/234 5678\n",
		"proc/net/dev": "Inter-|   Receive  |  Transmit\n" +
			" face |bytes packets errs drop fifo frame compressed multicast|bytes\n" +
			"    lo:    1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n" +
			"  eth0: 100 2 3 4 0 0 0 0 500 6 7 8 0 0 0 0\n" +
			"eth0:1: 9 9 9 9 0 0 0 0 9 9 9 9 0 0 0 0\n",
		"proc/diskstats": "   8 0 sda 10 0 20 30 40 0 50 60 0 7000 90\n   8 1 sda1 1 0 2 3 4 0 5 6 0 7 9\n" +
			"   7 0 loop0 1 0 2 3 4 0 5 6 0 7 9\n 253 0 dm-0 1 0 2 3 4 0 6 6 0 500 9\n",
		"sys/block/sda":                      "",
		"sys/block/dm-0":                     "",
		"sys/block/loop0":                    "",
		"sys/class/hwmon/hwmon0/name":        "coretemp\n",
		"sys/class/hwmon/hwmon0/temp1_input": "45500\n",
		"sys/class/hwmon/hwmon0/temp1_label": "Core 0\n",
		"sys/class/hwmon/hwmon0/temp2_input": "asleep\n",
		"run/systemd/sessions/1":             "UID=0\nUSER=root\nCLASS=user\nTTY=pts/0\n",
		"run/systemd/sessions/2":             "UID=0\nUSER=root\nCLASS=user\n",
		"run/systemd/sessions/3":             "CLASS=manager\nTTY=pts/1\n",
		"run/systemd/sessions/c1":            "CLASS=user\nSEAT=seat0\n",
	}))
	want := map[string]float64{
		"cpu.count": 2, "cpu.time user": 10, "cpu.time nice": 0.2, "cpu.time system": 3, "cpu.time idle": 400,
		"cpu.time iowait": 0.5, "cpu.time irq": 0.06, "cpu.time softirq": 0.07, "cpu.time steal": 0.08,
		"memory.total": 1024000, "memory.available": 409600, "memory.used": 614400, "memory.usage": 60,
		"memory.cached": 230 * 1024, "uptime": 12345.67, "load.1": 0.11, "load.5": 2.22, "load.15": 3.33,
		"processes.count": 2, "processes.running": 3, "processes.blocked": 1, "users.count": 2,
		"temperature coretemp_core_0": 45.5,
		"disk.read sda":               20 * 512, "disk.written sda": 50 * 512, "disk.reads sda": 10,
		"disk.writes sda": 40, "disk.busy sda": 7,
		"disk.read dm-0": 2 * 512, "disk.written dm-0": 6 * 512, "disk.reads dm-0": 1,
		"disk.writes dm-0": 4, "disk.busy dm-0": 0.5,
	}
	for i, name := range []string{"received", "sent", "packets.received", "packets.sent", "errors.received",
		"errors.sent", "dropped.received", "dropped.sent"} {
		want["network."+name+" eth0"] = []float64{100, 500, 2, 6, 3, 7, 4, 8}[i]
		want["network."+name+" eth0:1"] = 9
	}
	var got []report.Statistic
	for _, source := range Sources() {
		if source.Name == "disk" || source.Name == "swap" {
			continue // they ask the kernel of this machine
		}
		statistics, err := source.Read(ctx)
		if err != nil {
			t.Errorf("%s: %v", source.Name, err)
		}
		got = append(got, statistics...)
	}
	expect(t, values(got), want)
}

// A machine that hides its files gives errors that name them, not zeros.
func TestAMachineWithoutFiles(t *testing.T) {
	ctx := on(t, t.TempDir())
	for _, source := range Sources() {
		statistics, err := source.Read(ctx)
		switch source.Name {
		case "users", "temperature": // what nobody records is absent
			if len(statistics) > 0 || err != nil {
				t.Errorf("%s: got %v and %v, want nothing", source.Name, statistics, err)
			}
		case "load", "disk": // the kernel tells without its files
		default:
			if len(statistics) > 0 || err == nil {
				t.Errorf("%s: got %v and %v, want an error", source.Name, statistics, err)
			}
		}
	}
}

func TestMountsOfAKnownMachine(t *testing.T) {
	got, err := mounts(on(t, place(t, map[string]string{
		"proc/filesystems": "nodev\tproc\n\text4\n",
		"proc/1/mountinfo": "22 27 0:21 / /proc rw - proc proc rw\n" +
			"27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n" +
			"30 27 0:50 / /mnt/with\\040blank rw - nfs4 nas:/export rw\n" +
			"31 27 254:0 /srv /bind rw - ext4 /dev/vda rw\n" +
			"32 27 0:60 /@home /home rw - btrfs /dev/vdb rw,subvol=/@home\n",
	})))
	if err != nil {
		t.Fatal(err)
	}
	want := []mount{
		{"proc", "/proc", "proc", false}, {"/dev/vda", "/", "ext4", false},
		{"nas:/export", "/mnt/with blank", "nfs4", false}, {"/dev/vda", "/bind", "ext4", true},
		{"/dev/vdb", "/home", "btrfs", false},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// utmp as glibc writes it on this machine: a login at a terminal, a process of init, and a login that ended.
func TestUsersAreCountedInUTMP(t *testing.T) {
	size := 384
	if runtime.GOARCH == "arm64" {
		size = 400
	}
	record := func(kind byte, user string) string {
		b := make([]byte, size)
		b[0] = kind
		copy(b[44:], user)
		return string(b)
	}
	ctx := on(t, place(t, map[string]string{
		"var/run/utmp":           record(7, "ann") + record(5, "") + record(8, "") + record(7, "bob"),
		"run/systemd/sessions/1": "CLASS=user\nTTY=pts/0\n",
	}))
	got, err := readUsers(ctx)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, values(got), map[string]float64{"users.count": 2})
}

// Beside each session's file logind keeps a pipe: who opened it would wait for ever.
func TestUsersAreCountedWithoutOpeningPipes(t *testing.T) {
	folder := place(t, map[string]string{"run/systemd/sessions/1": "CLASS=user-early\nTTY=tty1\n"})
	if err := syscall.Mkfifo(filepath.Join(folder, "run/systemd/sessions/1.ref"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := readUsers(on(t, folder))
	if err != nil {
		t.Fatal(err)
	}
	expect(t, values(got), map[string]float64{"users.count": 1})
}

func TestPartitionsAreDisksWhereTheyCannotBeTold(t *testing.T) {
	wanted := wholeDisks(on(t, t.TempDir()))
	if !wanted("sda1") || wanted("loop0") || wanted("zram0") || wanted("sr0") {
		t.Error("without /sys partitions are to be reported, and memory disks are not")
	}
	wanted = wholeDisks(on(t, place(t, map[string]string{"sys/block/nvme0n1": ""})))
	if wanted("nvme0n1p1") || !wanted("nvme0n1") {
		t.Error("with /sys only whole disks are to be reported")
	}
}

func TestRoot(t *testing.T) {
	if got := root(t.Context(), common.HostProcEnvKey, "/proc"); os.Getenv("HOST_PROC") == "" && got != "/proc" {
		t.Errorf("got %s", got)
	}
	t.Setenv("HOST_PROC", "/host/proc")
	if got := procRoot(t.Context()); got != "/host/proc" {
		t.Errorf("got %s", got)
	}
	if got := procRoot(on(t, "/x")); got != "/x/proc" {
		t.Errorf("got %s", got)
	}
}
