package report

import (
	"fmt"
	"math"
	"reflect"
	"testing"
	"time"
)

func counterOf(name, instance, unit string, value float64) Statistic {
	return Statistic{name, instance, unit, Counter, value}
}

func gaugeOf(name, instance, unit string, value float64) Statistic {
	return Statistic{name, instance, unit, Gauge, value}
}

func cpu(mode string, seconds float64) Statistic { return counterOf("cpu.time", mode, "s", seconds) }

// The expected values are worked out by hand.
func TestRates(t *testing.T) {
	type list = []Statistic
	for name, test := range map[string]struct {
		earlier, later list
		elapsed        time.Duration
		want           list
	}{
		"bytes, operations, time": {
			list{counterOf("disk.read", "sda", "B", 1000), counterOf("disk.reads", "sda", "1", 10), counterOf("disk.busy", "sda", "s", 5)},
			list{counterOf("disk.read", "sda", "B", 7000), counterOf("disk.reads", "sda", "1", 40), counterOf("disk.busy", "sda", "s", 20)},
			time.Minute,
			list{gaugeOf("disk.read.rate", "sda", "B/s", 100), gaugeOf("disk.reads.rate", "sda", "1/s", 0.5), gaugeOf("disk.busy.rate", "sda", "1", 0.25)},
		},
		"nothing happened": {
			list{counterOf("swap.in", "", "B", 4096)}, list{counterOf("swap.in", "", "B", 4096)}, 250 * time.Millisecond,
			list{gaugeOf("swap.in.rate", "", "B/s", 0)},
		},
		"another order, come and gone": {
			list{counterOf("network.sent", "eth0", "B", 10), counterOf("network.sent", "eth1", "B", 20), counterOf("network.sent", "usb0", "B", 30)},
			list{counterOf("network.sent", "wg0", "B", 99), counterOf("network.sent", "eth1", "B", 40), counterOf("network.sent", "eth0", "B", 60)},
			10 * time.Second,
			list{gaugeOf("network.sent.rate", "eth1", "B/s", 2), gaugeOf("network.sent.rate", "eth0", "B/s", 5)},
		},
		"one went back": {
			list{counterOf("network.sent", "eth0", "B", 4294967295), counterOf("network.received", "eth0", "B", 1)},
			list{counterOf("network.sent", "eth0", "B", 5), counterOf("network.received", "eth0", "B", 3)},
			time.Second,
			list{gaugeOf("network.received.rate", "eth0", "B/s", 2)},
		},
		"beyond the catalogue": {
			list{counterOf("custom.jobs", "a", "{job}", 1), counterOf("custom.wait", "", "s", 0)},
			list{counterOf("custom.jobs", "a", "{job}", 2), counterOf("custom.wait", "", "s", 3)},
			2 * time.Second,
			list{gaugeOf("custom.jobs.rate", "a", "{job}/s", 0.5), gaugeOf("custom.wait.rate", "", "1", 1.5)},
		},
		"gauges, and what changed its kind or unit": {
			list{gaugeOf("load.1", "", "1", 1), gaugeOf("custom.a", "", "1", 1), counterOf("custom.b", "", "1", 1)},
			list{gaugeOf("load.1", "", "1", 2), counterOf("custom.a", "", "1", 2), counterOf("custom.b", "", "B", 2)},
			time.Second, list{},
		},
		"no time between": {
			list{counterOf("swap.in", "", "B", 1)}, list{counterOf("swap.in", "", "B", 2)}, 0, nil,
		},
		"time ran back": {
			list{counterOf("swap.in", "", "B", 1)}, list{counterOf("swap.in", "", "B", 2)}, -time.Second, nil,
		},
		"no earlier reading": {nil, list{counterOf("swap.in", "", "B", 2)}, time.Second, list{}},
		"beyond a double": {
			list{counterOf("swap.in", "", "B", 0)}, list{counterOf("swap.in", "", "B", math.MaxFloat64)}, time.Millisecond, list{},
		},
		"the client measured it itself": {
			list{counterOf("swap.in", "", "B", 0), counterOf("swap.out", "", "B", 0), cpu("idle", 0), cpu("user", 0)},
			list{counterOf("swap.in", "", "B", 10), counterOf("swap.out", "", "B", 10), cpu("idle", 1), cpu("user", 1),
				gaugeOf("swap.in.rate", "", "B/s", 7), gaugeOf("cpu.usage", "", "%", 9)},
			time.Second,
			list{gaugeOf("swap.out.rate", "", "B/s", 10), gaugeOf("cpu.share", "idle", "%", 50), gaugeOf("cpu.share", "user", "%", 50)},
		},
		"processors": { // 100 s in all: 60 idle, 10 of them waiting
			list{cpu("user", 10), cpu("system", 20), cpu("idle", 1000), cpu("iowait", 7), cpu("nice", 3)},
			list{cpu("user", 35), cpu("system", 30), cpu("idle", 1050), cpu("iowait", 17), cpu("nice", 8)},
			50 * time.Second,
			list{gaugeOf("cpu.usage", "", "%", 40), gaugeOf("cpu.share", "user", "%", 25), gaugeOf("cpu.share", "system", "%", 10),
				gaugeOf("cpu.share", "idle", "%", 50), gaugeOf("cpu.share", "iowait", "%", 10), gaugeOf("cpu.share", "nice", "%", 5)},
		},
		"all busy": {
			list{cpu("user", 10), cpu("idle", 10)}, list{cpu("user", 20), cpu("idle", 10)}, time.Second,
			list{gaugeOf("cpu.usage", "", "%", 100), gaugeOf("cpu.share", "user", "%", 100), gaugeOf("cpu.share", "idle", "%", 0)},
		},
		"iowait went back": { // as Linux allows
			list{cpu("user", 0), cpu("idle", 0), cpu("iowait", 5)}, list{cpu("user", 1), cpu("idle", 3), cpu("iowait", 4)}, time.Second,
			list{gaugeOf("cpu.usage", "", "%", 25), gaugeOf("cpu.share", "user", "%", 25), gaugeOf("cpu.share", "idle", "%", 75),
				gaugeOf("cpu.share", "iowait", "%", 0)},
		},
		"processors began again": { // user has more than before, and still it was a restart
			list{cpu("user", 10), cpu("idle", 1000)}, list{cpu("user", 50), cpu("idle", 100)}, time.Minute, list{},
		},
		"no idle mode":      {list{cpu("user", 1)}, list{cpu("user", 2)}, time.Second, list{}},
		"no time was spent": {list{cpu("user", 1), cpu("idle", 1)}, list{cpu("user", 1), cpu("idle", 1)}, time.Second, list{}},
		"a new mode": {
			list{cpu("user", 1), cpu("idle", 1)}, list{cpu("user", 2), cpu("idle", 2), cpu("steal", 50)}, time.Second,
			list{gaugeOf("cpu.usage", "", "%", 50), gaugeOf("cpu.share", "user", "%", 50), gaugeOf("cpu.share", "idle", "%", 50)},
		},
		"restarted, as uptime shows": {
			list{gaugeOf("uptime", "", "s", 500), counterOf("swap.in", "", "B", 1)},
			list{gaugeOf("uptime", "", "s", 100), counterOf("swap.in", "", "B", 1000)}, time.Minute, nil,
		},
		"restarted, and up for longer than before": {
			list{gaugeOf("uptime", "", "s", 30), counterOf("swap.in", "", "B", 1)},
			list{gaugeOf("uptime", "", "s", 100), counterOf("swap.in", "", "B", 1000)}, time.Hour, nil,
		},
		"just started before": {
			list{gaugeOf("uptime", "", "s", 0), counterOf("swap.in", "", "B", 1)},
			list{gaugeOf("uptime", "", "s", 59), counterOf("swap.in", "", "B", 121)}, time.Minute,
			list{gaugeOf("swap.in.rate", "", "B/s", 2)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			before, after := fmt.Sprint(test.earlier), fmt.Sprint(test.later)
			got := Rates(test.earlier, test.later, test.elapsed)
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("got  %+v\nwant %+v", got, test.want)
			}
			if before != fmt.Sprint(test.earlier) || after != fmt.Sprint(test.later) {
				t.Error("the readings were changed")
			}
		})
	}
}

// What Rates returns may stand in a report beside what it was made of.
func TestRatesFitTheReport(t *testing.T) {
	earlier, later := typical(), typical()
	for i := range later.Statistics {
		later.Statistics[i].Value += float64(i)
	}
	rates := Rates(earlier.Statistics, later.Statistics, time.Hour)
	if len(rates) < 20 {
		t.Fatalf("there are only %d rates", len(rates))
	}
	later.Statistics = append(later.Statistics, rates...)
	if _, err := Parse(marshal(t, later)); err != nil {
		t.Error(err)
	}
	for _, s := range rates {
		if d, ok := Lookup(s.Name); !ok || d.Unit != s.Unit || d.Kind != s.Kind || d.Source != "server" {
			t.Errorf("%+v is not as the catalogue has it: %+v", s, d)
		}
	}
}

func TestRatesOfLongNames(t *testing.T) {
	name := func(n int) string { return "a" + fmt.Sprintf("%0*d", n-1, 0) }
	for _, test := range []struct {
		name, unit string
		want       int
	}{
		{name(MaxName - 5), "1", 1}, {name(MaxName - 4), "1", 0}, {"a", name(MaxUnit - 2), 1}, {"a", name(MaxUnit - 1), 0},
	} {
		s := []Statistic{counterOf(test.name, "", test.unit, 1)}
		if got := Rates(s, s, time.Second); len(got) != test.want {
			t.Errorf("%+v: got %+v", test, got)
		}
	}
}

func BenchmarkRates(b *testing.B) {
	earlier, later := typical().Statistics, typical().Statistics
	b.ReportAllocs()
	for b.Loop() {
		Rates(earlier, later, time.Minute)
	}
}
