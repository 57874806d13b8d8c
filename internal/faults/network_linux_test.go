package faults_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"

	"muster/internal/faults"
)

// line is a way that the server's connections take, and that can be cut, frozen and slowed.
type line struct {
	proxy *toxiproxy.Proxy
	port  int
}

func newLine(t testing.TB, name, upstream string) *line {
	t.Helper()
	api := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	l := &line{proxy: toxiproxy.NewProxy(api, name, "127.0.0.1:0", upstream)}
	if err := l.proxy.Start(); err != nil {
		t.Fatalf("proxy in front of %s: %v", name, err)
	}
	t.Cleanup(l.proxy.Stop)
	address, err := net.ResolveTCPAddr("tcp", l.proxy.Listen)
	if err != nil {
		t.Fatal(err)
	}
	l.port = address.Port
	return l
}

// afflict has a fault come over the line, and takes it away again when it has lasted, or ctx ends.
func (l *line) afflict(ctx context.Context, f faults.Fault) error {
	if f.Kind == faults.Refuse {
		l.proxy.Stop()
		pause(ctx, f.Hold)
		return l.proxy.Start()
	}
	for _, toxic := range toxics(f) {
		if _, err := l.proxy.Toxics.AddToxicJson(strings.NewReader(toxic)); err != nil {
			return fmt.Errorf("%s: %w", toxic, err)
		}
	}
	pause(ctx, f.Hold)
	l.proxy.Toxics.ResetToxics(context.WithoutCancel(ctx))
	return nil
}

// toxics returns what a fault is in the words of the proxy.
func toxics(f faults.Fault) []string {
	direction := "upstream"
	if int(f.Dose*1000)%2 == 0 {
		direction = "downstream"
	}
	switch f.Kind {
	case faults.Cut:
		// A greeting is as likely to be cut as the middle of an upload.
		bytes := int(f.Dose * f.Dose * f.Dose * 200_000)
		return []string{fmt.Sprintf(`{"type":"limit_data","stream":%q,"attributes":{"bytes":%d}}`, direction, max(bytes, 1))}
	case faults.Freeze:
		return []string{
			`{"type":"timeout","stream":"upstream","attributes":{"timeout":0}}`,
			`{"type":"timeout","stream":"downstream","attributes":{"timeout":0}}`,
		}
	case faults.Slow:
		return []string{
			fmt.Sprintf(`{"type":"latency","stream":"downstream","attributes":{"latency":%d,"jitter":50}}`, 50+int(f.Dose*300)),
			fmt.Sprintf(`{"type":"bandwidth","stream":"upstream","attributes":{"rate":%d}}`, 20+int(f.Dose*200)),
		}
	}
	return nil
}
