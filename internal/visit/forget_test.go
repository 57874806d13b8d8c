package visit

import "testing"

func TestOnlyHostsThatAreKeptAreRemembered(t *testing.T) {
	v := New(Options{})
	for _, name := range []string{"stays", "goes"} {
		host := Host{Name: name, Address: name}
		known := v.hosts.recall(&host)
		known.counters.values = []float64{1}
		v.hosts.keep(&host, known)
	}
	v.Forget(func(host string) bool { return host == "stays" })
	for name, want := range map[string]bool{"stays": true, "goes": false} {
		if known := v.hosts.recall(&Host{Name: name, Address: name}); known.counters.empty() == want {
			t.Errorf("%s is remembered: %v, want %v", name, !want, want)
		}
	}
}
