package visit_test

import (
	"testing"

	"muster/internal/deploy/deploytest"
	"muster/internal/testserver"
	"muster/internal/visit"
)

func TestSmall(t *testing.T) {
	for _, sftp := range []bool{true, false} {
		for name, start := range map[string]func(testing.TB, testserver.SmallOptions) *testserver.Sshd{"dropbear": testserver.Dropbear, "tinysshd": testserver.TinySSHD} {
			t.Run(name, func(t *testing.T) {
				s := start(t, testserver.SmallOptions{SFTP: sftp, Setup: installed(t)})
				host := sshdHost(t, s)
				v := visit.New(visit.Options{Clients: deploytest.Clients(t)}).Visit(t.Context(), host, sweep)
				t.Log(sftp, v.Failure, v.Log, stages(v), v.Took)
				host.Client = standing
				v = visit.New(visit.Options{Clients: deploytest.Clients(t)}).Visit(t.Context(), host, sweep)
				t.Log(sftp, v.Failure, v.Log, stages(v), v.Took)
				t.Log(s.Log())
			})
		}
	}
}
