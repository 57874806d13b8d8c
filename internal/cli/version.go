package cli

import (
	"fmt"
	"runtime"

	"muster/internal/deploy"
)

type versionCommand struct {
	JSON bool `help:"Print JSON."`
}

// Run prints the version, and the clients that the server carries.
func (c versionCommand) Run(env Env) error {
	info := versionInfo{Version: env.Version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if clients, err := deploy.Embedded(); err == nil {
		for _, p := range clients.Platforms() {
			info.Clients = append(info.Clients, p.OS+"/"+p.Arch)
		}
	}
	if c.JSON {
		return writeJSON(env.Stdout, info)
	}
	fmt.Fprintf(env.Stdout, "muster %s (%s, %s)\n", info.Version, info.Go, info.Platform)
	return nil
}

type versionInfo struct {
	Version  string   `json:"version"`
	Go       string   `json:"go"`
	Platform string   `json:"platform"`
	Clients  []string `json:"clients"`
}
