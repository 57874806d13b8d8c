package stats

import (
	"context"
	"os"

	"github.com/shirou/gopsutil/v4/common"
)

// These are where the kernel's and the system's files are, found as gopsutil finds them: from the context, then from the
// environment, then in their usual places.
func procRoot(ctx context.Context) string { return root(ctx, common.HostProcEnvKey, "/proc") }
func sysRoot(ctx context.Context) string  { return root(ctx, common.HostSysEnvKey, "/sys") }
func runRoot(ctx context.Context) string  { return root(ctx, common.HostRunEnvKey, "/run") }
func varRoot(ctx context.Context) string  { return root(ctx, common.HostVarEnvKey, "/var") }

func root(ctx context.Context, key common.EnvKeyType, usual string) string {
	if places, ok := ctx.Value(common.EnvKey).(common.EnvMap); ok && places[key] != "" {
		return places[key]
	}
	if place := os.Getenv(string(key)); place != "" {
		return place
	}
	return usual
}
