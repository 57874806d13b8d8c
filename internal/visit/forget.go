package visit

import "maps"

// Forget forgets what is remembered of hosts that are not kept. What a visit that is under way learns of one is remembered
// all the same.
func (v *Visitor) Forget(keep func(host string) bool) {
	v.hosts.mu.Lock()
	defer v.hosts.mu.Unlock()
	maps.DeleteFunc(v.hosts.hosts, func(host string, _ memory) bool { return !keep(host) })
}
