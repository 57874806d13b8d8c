package health

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// maxScrapes is how many scrapes of one page run at once; more are told to come back.
const maxScrapes = 4

// The types of the formats that the page of hosts is written in.
const (
	typeOpenMetrics = "application/openmetrics-text; version=1.0.0; charset=utf-8"
	typeText        = "text/plain; version=0.0.4; charset=utf-8"
)

// Handler returns what answers on every listener: the pages /, /metrics, /metrics/hosts, /healthz and /status, for GET
// and HEAD.
func (h *Health) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(h.registry, promhttp.HandlerOpts{
		ErrorLog: logErrors{h.log}, ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: maxScrapes,
		EnableOpenMetrics: true,
	}))
	mux.HandleFunc("/metrics/hosts", h.serveHosts)
	mux.HandleFunc("/healthz", h.serveHealth)
	mux.HandleFunc("/status", h.serveStatus)
	mux.HandleFunc("/{$}", serveIndex)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// logErrors hands what the metrics' handler has to say to the log.
type logErrors struct{ log *slog.Logger }

// Println logs a line.
func (l logErrors) Println(v ...any) {
	l.log.Warn("metrics could not be shown", "err", strings.TrimSpace(fmt.Sprintln(v...)))
}

func serveIndex(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, "muster\n\n"+
		"/metrics        the server's own figures, for Prometheus\n"+
		"/metrics/hosts  the latest statistics of the hosts, for Prometheus\n"+
		"/healthz        200 where all is well, 503 with the reasons where it is not\n"+
		"/status         the same and more, in JSON\n")
}

// serveHealth says 200 or 503, and why: a line a problem, or a list in JSON for those who prefer it.
func (h *Health) serveHealth(w http.ResponseWriter, r *http.Request) {
	s := h.Status(r.Context())
	code := http.StatusOK
	if !s.Healthy {
		code = http.StatusServiceUnavailable
	}
	w.Header().Set("Cache-Control", "no-store")
	if strings.Contains(r.Header.Get("Accept"), "application/json") {
		writeJSON(w, code, struct {
			Healthy  bool      `json:"healthy"`
			Problems []Problem `json:"problems"`
		}{s.Healthy, s.Problems})
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	if s.Healthy {
		_, _ = io.WriteString(w, "ok\n")
	}
	for _, p := range s.Problems {
		fmt.Fprintln(w, strings.ReplaceAll(p.String(), "\n", " "))
	}
}

func (h *Health) serveStatus(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, http.StatusOK, h.Status(r.Context()))
}

func writeJSON(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	_ = encoder.Encode(v) // the reader is gone
}

// serveHosts streams the page of hosts, compressed for those who can read it so.
func (h *Health) serveHosts(w http.ResponseWriter, r *http.Request) {
	select {
	case h.scrapes <- struct{}{}:
		defer func() { <-h.scrapes }()
	default:
		http.Error(w, "too many scrapes at once", http.StatusServiceUnavailable)
		return
	}
	openMetrics := strings.Contains(r.Header.Get("Accept"), "application/openmetrics-text")
	kind := typeText
	if openMetrics {
		kind = typeOpenMetrics
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Add("Vary", "Accept, Accept-Encoding")
	compressed := takesGzip(r.Header.Values("Accept-Encoding"))
	if compressed {
		w.Header().Set("Content-Encoding", "gzip")
	}
	if r.Method == http.MethodHead {
		return
	}
	if err := h.writeHosts(r, w, openMetrics, compressed); err != nil {
		h.log.Info("a scrape of the hosts was broken off", "remote", r.RemoteAddr, "err", err)
	}
}

const pageBuffer = 64 << 10

func (h *Health) writeHosts(r *http.Request, w io.Writer, openMetrics, compressed bool) error {
	p := &page{openMetrics: openMetrics, hosts: h.fleet.show(h.oldest(h.now()))}
	if !compressed {
		p.Writer = bufio.NewWriterSize(w, pageBuffer)
		return p.write(r.Context())
	}
	z, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err != nil {
		return err
	}
	p.Writer = bufio.NewWriterSize(z, pageBuffer)
	if err := p.write(r.Context()); err != nil {
		return err
	}
	return z.Close()
}

// takesGzip says whether gzip is accepted, as RFC 9110, section 12.5.3, has it.
func takesGzip(accepted []string) bool {
	for _, line := range accepted {
		for part := range strings.SplitSeq(line, ",") {
			coding, parameters, _ := strings.Cut(part, ";")
			if !strings.EqualFold(strings.TrimSpace(coding), "gzip") {
				continue
			}
			quality, found := strings.CutPrefix(strings.ReplaceAll(parameters, " ", ""), "q=")
			if !found {
				return true
			}
			q, err := strconv.ParseFloat(quality, 64)
			return err == nil && q > 0
		}
	}
	return false
}
