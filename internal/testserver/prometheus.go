package testserver

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// prometheusPatience is how long a test waits for what Prometheus has yet to scrape.
const prometheusPatience = 2 * time.Minute

// PrometheusServer is a running Prometheus that scrapes what a test has it scrape.
type PrometheusServer struct {
	server *Database
}

// PrometheusTarget is a page to scrape.
type PrometheusTarget struct {
	Job     string
	Address string // host:port
	Path    string
}

// Series is a series of the answer to a query, with its last value.
type Series struct {
	Labels map[string]string
	Value  string
}

// Prometheus starts Prometheus (Debian's package) on a free port of 127.0.0.1, which scrapes the targets every half
// second into a folder of its own. It ends with the test.
func Prometheus(t testing.TB, targets ...PrometheusTarget) *PrometheusServer {
	t.Helper()
	program := Need(t, "prometheus", "prometheus")
	folder := t.TempDir()
	config := filepath.Join(folder, "prometheus.yml")
	if err := os.WriteFile(config, prometheusConfig(targets), 0o600); err != nil {
		t.Fatal(err)
	}
	d := &Database{scheme: "http", folder: folder, ready: prometheusReady, end: terminate}
	d.command = func(port int) *exec.Cmd {
		return exec.Command(program, "--config.file="+config, "--storage.tsdb.path="+filepath.Join(folder, "data"),
			fmt.Sprintf("--web.listen-address=127.0.0.1:%d", port), "--log.level=warn")
	}
	d.begin(t)
	return &PrometheusServer{server: d}
}

func prometheusConfig(targets []PrometheusTarget) []byte {
	var b strings.Builder
	b.WriteString("global: {scrape_interval: 500ms, scrape_timeout: 500ms}\nscrape_configs:\n")
	for _, target := range targets {
		fmt.Fprintf(&b, "- {job_name: %q, metrics_path: %q, static_configs: [{targets: [%q]}]}\n",
			target.Job, target.Path, target.Address)
	}
	return []byte(b.String())
}

// prometheusReady asks whether it is ready for queries.
func prometheusReady(conn net.Conn) error {
	if _, err := io.WriteString(conn, "GET /-/ready HTTP/1.0\r\n\r\n"); err != nil {
		return err
	}
	answer, err := io.ReadAll(io.LimitReader(conn, 4096))
	if err != nil {
		return err
	}
	if line, _, _ := strings.Cut(string(answer), "\r\n"); !strings.Contains(line, " 200 ") {
		return fmt.Errorf("it answers %q", line)
	}
	return nil
}

// URL returns where it answers.
func (p *PrometheusServer) URL() string { return "http://" + p.server.Address() }

// Query asks an instant query and returns the series of its answer. An expression that Prometheus refuses fails the test.
func (p *PrometheusServer) Query(t testing.TB, expression string) []Series {
	t.Helper()
	var answer struct {
		Result []struct {
			Metric map[string]string
			Value  [2]any
		}
	}
	p.get(t, "/api/v1/query?query="+url.QueryEscape(expression), &answer)
	all := make([]Series, 0, len(answer.Result))
	for _, r := range answer.Result {
		all = append(all, Series{Labels: r.Metric, Value: fmt.Sprint(r.Value[1])})
	}
	return all
}

// Await asks an instant query until its answer is as the test wants it, since Prometheus does not say when it has
// scraped, and fails the test where that takes too long.
func (p *PrometheusServer) Await(t testing.TB, expression string, wanted func([]Series) bool) []Series {
	t.Helper()
	tick := time.NewTicker(databasePoll)
	defer tick.Stop()
	for end := time.Now().Add(prometheusPatience); ; <-tick.C {
		got := p.Query(t, expression)
		if wanted(got) {
			return got
		}
		if time.Now().After(end) {
			t.Fatalf("%s: after %s the answer is still %v\ntargets: %v", expression, prometheusPatience, got, p.Problems(t))
		}
	}
}

// Problems returns why targets could not be scraped the last time.
func (p *PrometheusServer) Problems(t testing.TB) []string {
	t.Helper()
	var answer struct {
		ActiveTargets []struct{ ScrapeURL, Health, LastError string }
	}
	p.get(t, "/api/v1/targets", &answer)
	var problems []string
	for _, target := range answer.ActiveTargets {
		if target.LastError != "" {
			problems = append(problems, target.ScrapeURL+": "+target.LastError)
		}
	}
	return problems
}

// get reads the data of an answer of the API.
func (p *PrometheusServer) get(t testing.TB, path string, data any) {
	t.Helper()
	client := &http.Client{Timeout: prometheusPatience, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get(p.URL() + path)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var answer struct {
		Status, Error string
		Data          json.RawMessage
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	if answer.Status != "success" {
		t.Fatalf("%s: %s", path, answer.Error)
	}
	if err := json.Unmarshal(answer.Data, data); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}
