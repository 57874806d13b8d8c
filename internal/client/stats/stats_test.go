package stats

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/shirou/gopsutil/v4/cpu"
	"github.com/shirou/gopsutil/v4/disk"
	"github.com/shirou/gopsutil/v4/mem"

	"muster/internal/report"
)

func platforms() []string { return []string{"linux", "windows", "darwin", "freebsd"} }

// values gives the values of a source's statistics by name and instance.
func values(statistics []report.Statistic) map[string]float64 {
	all := make(map[string]float64, len(statistics))
	for _, s := range statistics {
		name := s.Name
		if s.Instance != "" {
			name += " " + s.Instance
		}
		all[name] = s.Value
	}
	return all
}

// readSource reads the source of this machine that has the name.
func readSource(t *testing.T, name string) []report.Statistic {
	t.Helper()
	for _, source := range Sources() {
		if source.Name == name {
			statistics, err := source.Read(t.Context())
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			return statistics
		}
	}
	t.Fatalf("there is no source %s on %s", name, runtime.GOOS)
	return nil
}

// follows checks that a statistic of a source is in the catalogue as it is given, for the platform.
func follows(t *testing.T, source, platform string, s report.Statistic) {
	t.Helper()
	d, ok := report.Lookup(s.Name)
	if !ok {
		t.Errorf("%s on %s gives %s, which is not in the catalogue", source, platform, s.Name)
		return
	}
	if d.Source != source || d.Unit != s.Unit || d.Kind != s.Kind || (d.Instance == "") != (s.Instance == "") {
		t.Errorf("%s gives %+v, the catalogue has %+v", source, s, d)
	}
	if !slices.Contains(strings.Fields(d.Platforms), platform) {
		t.Errorf("%s gives %s on %s, the catalogue has it on %s", source, s.Name, platform, d.Platforms)
	}
	if _, ok := report.Clean(s); !ok {
		t.Errorf("%s gives %+v, which cannot be sent", source, s)
	}
}

func TestWhatTheSourcesGiveIsInTheCatalogue(t *testing.T) {
	for _, source := range Sources() {
		statistics, err := source.Read(t.Context())
		if err != nil {
			t.Errorf("%s: %v", source.Name, err)
		}
		seen := make(map[string]bool)
		for _, s := range statistics {
			follows(t, source.Name, runtime.GOOS, s)
			if key := s.Name + "\x00" + s.Instance; seen[key] {
				t.Errorf("%s gives %s of %q twice", source.Name, s.Name, s.Instance)
			} else {
				seen[key] = true
			}
		}
	}
}

// What depends on the platform alone is checked here for every platform.
func TestEveryPlatformFollowsTheCatalogue(t *testing.T) {
	for _, platform := range platforms() {
		given := map[string][]report.Statistic{
			"cpu":    cpuTimes(cpu.TimesStat{}, platform),
			"memory": memoryStatistics(&mem.VirtualMemoryStat{Total: 2, Available: 1}, platform),
			"swap":   swapStatistics(&mem.SwapMemoryStat{Total: 2, Used: 1}, platform, 4096),
			"diskio": diskIOStatistics("sda", disk.IOCountersStat{}, platform),
		}
		for source, statistics := range given {
			var names []string
			for _, s := range statistics {
				follows(t, source, platform, s)
				names = append(names, s.Name)
			}
			for _, d := range report.Catalogue() {
				wanted := d.Source == source && slices.Contains(strings.Fields(d.Platforms), platform)
				if wanted && d.Name != "cpu.count" && !slices.Contains(names, d.Name) {
					t.Errorf("%s does not give %s on %s", source, d.Name, platform)
				}
			}
		}
	}
}

// The lists of the other platforms are not compiled here, so they are read as text.
func TestEveryPlatformHasTheSourcesOfTheCatalogue(t *testing.T) {
	for _, platform := range platforms() {
		var want []string
		for _, d := range report.Catalogue() {
			here := slices.Contains(strings.Fields(d.Platforms), platform)
			if d.Source != "server" && here && !slices.Contains(want, d.Source) {
				want = append(want, d.Source)
			}
		}
		got := listed(t, "sources_"+platform+".go")
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s has the sources %v, the catalogue %v", platform, got, want)
		}
	}
	var here []string
	for _, source := range Sources() {
		here = append(here, source.Name)
	}
	if got := listed(t, "sources_"+runtime.GOOS+".go"); !slices.Equal(got, here) {
		t.Errorf("the file has %v, Sources returns %v", got, here)
	}
}

// listed returns the string literals of a file in their order, imports left out.
func listed(t *testing.T, file string) []string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, declaration := range parsed.Decls {
		ast.Inspect(declaration, func(n ast.Node) bool {
			if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == token.STRING {
				text, err := strconv.Unquote(literal.Value)
				if err != nil {
					t.Fatal(err)
				}
				found = append(found, text)
			}
			return true
		})
	}
	return found
}

func TestPercent(t *testing.T) {
	for _, c := range []struct{ part, whole, want float64 }{
		{1, 4, 25}, {0, 4, 0}, {4, 4, 100}, {5, 4, 100}, {-1, 4, 0}, {0, 0, 0}, {1, 0, 0},
	} {
		if got := percent(c.part, c.whole); got != c.want {
			t.Errorf("percent(%v, %v) = %v, want %v", c.part, c.whole, got, c.want)
		}
	}
}

func BenchmarkSources(b *testing.B) {
	for _, source := range Sources() {
		b.Run(source.Name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := source.Read(context.Background()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// place writes files below a new folder, and returns the folder.
func place(t *testing.T, files map[string]string) string {
	t.Helper()
	folder := t.TempDir()
	for name, content := range files {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}
