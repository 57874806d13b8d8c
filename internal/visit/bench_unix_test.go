//go:build unix

package visit_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"muster/internal/report"
	"muster/internal/sshtest"
	"muster/internal/visit"
)

// fleet is set in the environment of a process that is a host for the benchmarks, so that their figures are of the
// visiting side alone. Its value is the home.
const fleet = "MUSTER_BENCHMARK_HOST"

func TestMain(m *testing.M) {
	home := os.Getenv(fleet)
	if home == "" {
		os.Exit(m.Run())
	}
	if err := beHost(home); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// beHost is a host until its standard input ends. It says its port and its host key.
func beHost(home string) error {
	client := reporting(func(_ *report.Request, r *report.Report) { r.Statistics = usual() })
	server, err := sshtest.New(sshtest.Options{
		Home: home, Password: "secret",
		Exec: func(ctx context.Context, s *sshtest.Session) sshtest.Exit {
			if isClient(s.Command) {
				return client(ctx, s)
			}
			return sshtest.Shell(ctx, s)
		},
	})
	if err != nil {
		return err
	}
	fmt.Printf("%d %s", server.Addr().Port, server.KnownHostsLine())
	_, _ = io.Copy(io.Discard, os.Stdin)
	return server.Close()
}

// usual is what an ordinary Linux host reports: some 120 statistics.
func usual() []report.Statistic {
	statistics := []report.Statistic{{Name: "uptime", Unit: "s", Kind: report.Gauge, Value: float64(time.Now().Unix())}}
	for _, mode := range strings.Fields("user nice system idle iowait irq softirq steal") {
		statistics = append(statistics, report.Statistic{
			Name: "cpu.time", Instance: mode, Unit: "s", Kind: report.Counter, Value: float64(time.Now().UnixMilli()) / 1000,
		})
	}
	for _, d := range report.Catalogue() {
		n := 0
		switch d.Instance {
		case "mount":
			n = 5
		case "device", "interface":
			n = 4
		}
		for i := range n {
			statistics = append(statistics, report.Statistic{
				Name: d.Name, Instance: d.Instance + strconv.Itoa(i), Unit: d.Unit, Kind: d.Kind, Value: 123456789,
			})
		}
	}
	return statistics
}

// startHost starts a process that is a host, and returns it as a configuration would.
func startHost(b *testing.B) visit.Host {
	b.Helper()
	home := b.TempDir()
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), fleet+"="+home)
	command.Stderr = os.Stderr
	stdin, err := command.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := command.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = stdin.Close()
		_ = command.Wait()
	})
	said, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	port, line, _ := strings.Cut(said, " ")
	known := filepath.Join(b.TempDir(), "known_hosts")
	if err := os.WriteFile(known, []byte(line), 0o600); err != nil {
		b.Fatal(err)
	}
	address, err := net.ResolveTCPAddr("tcp", "127.0.0.1:"+port)
	if err != nil {
		b.Fatal(err)
	}
	return visit.Host{
		Name: "web1", Address: "127.0.0.1", Port: address.Port, User: "u", Password: "secret",
		HostKeys: loadHostKeys(b, known), Transfer: visit.Stdout, Deadlines: generous(),
	}
}

// processor returns the CPU time of this process so far.
func processor(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// BenchmarkVisit is a visit to a host that is known already: the whole of what it costs the server, in CPU time too.
func BenchmarkVisit(b *testing.B) {
	f := newFake(b, nil)
	host := startHost(b)
	for _, parallel := range []int{1, 16} {
		b.Run(fmt.Sprintf("parallel=%d", parallel), func(b *testing.B) {
			visitor := f.visitor()
			wantReport(b, visitor.Visit(b.Context(), host, sweep))
			b.ReportAllocs()
			before := processor(b)
			b.ResetTimer()
			work := make(chan struct{})
			var workers sync.WaitGroup
			for range parallel {
				workers.Go(func() {
					for range work {
						if v := visitor.Visit(b.Context(), host, sweep); v.Failure != nil {
							b.Error(v.Failure)
						}
					}
				})
			}
			for range b.N {
				work <- struct{}{}
			}
			close(work)
			workers.Wait()
			b.ReportMetric(float64(processor(b)-before)/float64(b.N)/1e3, "cpu-µs/op")
		})
	}
}
