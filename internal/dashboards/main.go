// Command dashboards writes Grafana's dashboards for Muster: one over Prometheus, and one over each kind of database.
//
//	go run ./internal/dashboards          # writes dashboards/*.json
//	go run ./internal/dashboards FOLDER   # writes them elsewhere
//
// The panels are listed once for all databases; where the engines differ in their SQL a dialect says how. A test sees to it
// that the files are those that this program writes, and runs every query of every panel.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	folder := "dashboards"
	if len(os.Args) > 1 {
		folder = os.Args[1]
	}
	if err := write(folder); err != nil {
		fmt.Fprintln(os.Stderr, "dashboards:", err)
		os.Exit(1)
	}
}

// files returns the dashboards by the names of their files.
func files() map[string]dashboard {
	all := map[string]dashboard{"prometheus.json": prometheus()}
	for _, d := range dialects() {
		all[d.name+".json"] = database(d)
	}
	return all
}

func write(folder string) error {
	for name, d := range files() {
		text, err := encode(d)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o644); err != nil { //nolint:gosec // it is for everybody
			return err
		}
	}
	return nil
}

// encode returns a dashboard as it stands in its file.
func encode(d dashboard) ([]byte, error) {
	text, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return nil, err
	}
	return append(text, '\n'), nil
}
