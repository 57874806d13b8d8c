package faults_test

import (
	"slices"
	"testing"
	"time"

	"muster/internal/faults"
)

func first(t faults.Track, seed uint64, n int) []faults.Fault {
	var list []faults.Fault
	for f := range t.Faults(seed) {
		if list = append(list, f); len(list) == n {
			break
		}
	}
	return list
}

func hosts() faults.Track {
	return faults.Track{Name: "hosts", Choices: []faults.Choice{
		{Kind: faults.Wipe, Weight: 1, After: faults.Range{Most: time.Second}},
		{
			Kind: faults.ResetHost, Weight: 3, Targets: []string{"a", "b"},
			After: faults.Range{Least: time.Second, Most: 2 * time.Second}, Hold: faults.Range{Least: 5, Most: 5},
		},
		{Kind: faults.Exceed},
	}}
}

func TestASeedIsASchedule(t *testing.T) {
	track := hosts()
	if a, b := first(track, 7, 200), first(track, 7, 200); !slices.Equal(a, b) {
		t.Error("the same seed gives two schedules")
	}
	if a, b := first(track, 7, 200), first(track, 8, 200); slices.Equal(a, b) {
		t.Error("two seeds give one schedule")
	}
	other := hosts()
	other.Name = "other"
	if a, b := first(track, 7, 200), first(other, 7, 200); slices.Equal(a, b) {
		t.Error("two tracks are one")
	}
}

func TestFaultsAreAsTheirChoiceSays(t *testing.T) {
	drawn := make(map[faults.Kind]int)
	targets := make(map[string]int)
	for _, f := range first(hosts(), 1, 5000) {
		drawn[f.Kind]++
		if f.Dose < 0 || f.Dose >= 1 {
			t.Fatalf("dose %v", f.Dose)
		}
		switch f.Kind {
		case faults.ResetHost:
			targets[f.Target]++
			if f.After < time.Second || f.After >= 2*time.Second || f.Hold != 5 {
				t.Fatalf("after %v, hold %v", f.After, f.Hold)
			}
		default:
			if f.Target != "" || f.Hold != 0 || f.After < 0 || f.After >= time.Second {
				t.Fatalf("%+v", f)
			}
		}
	}
	for kind, share := range map[faults.Kind]int{faults.ResetHost: 3000, faults.Wipe: 1000, faults.Exceed: 1000} {
		if n := drawn[kind]; n < share-200 || n > share+200 {
			t.Errorf("%s: drawn %d times, about %d expected", kind, n, share)
		}
	}
	if len(targets) != 2 || targets["a"] < 1200 || targets["b"] < 1200 {
		t.Errorf("targets: %v", targets)
	}
}

func TestATrackOfNothingEnds(t *testing.T) {
	if list := first(faults.Track{Name: "empty"}, 1, 1); len(list) != 0 {
		t.Errorf("it drew %v", list)
	}
}

func TestEveryKindHasItsLine(t *testing.T) {
	kills := 0
	seen := make(map[faults.Kind]bool)
	for _, kind := range faults.Kinds() {
		if seen[kind] {
			t.Errorf("%s stands there twice", kind)
		}
		seen[kind] = true
		if kind.IsKill() {
			kills++
		}
	}
	if kills != 6 || seen[faults.Lie] != true {
		t.Errorf("%d kinds kill", kills)
	}
}
