package store

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// HostStatus is what `muster status` shows of a host.
type HostStatus struct {
	Host, Groups, Address      string
	Visited                    time.Time          // the last visit; zero: never
	Succeeded                  time.Time          // the last visit that brought a report
	Stage, Kind, Error, Advice string             // of the last visit
	Latest                     map[string]float64 // latest values of the statistics without instance: cpu.usage, memory.usage, uptime
	Instances                  []InstanceValue    // those of the statistics with instances, by name and instance, if asked for
	Alerts                     []Alert            // firing
}

// InstanceValue is the latest value of one instance of a statistic.
type InstanceValue struct {
	Name, Instance, Unit string
	Value                float64
}

// Status returns every host that was ever visited, ordered by name. It takes three queries, however many hosts there are.
//
// Errors: ErrUnavailable, or ctx's.
func (s *Store) Status(ctx context.Context) ([]HostStatus, error) {
	return s.statusOrFail(ctx, false)
}

// StatusWithInstances is Status with the Instances of each host, which are most of what is known of it.
func (s *Store) StatusWithInstances(ctx context.Context) ([]HostStatus, error) {
	return s.statusOrFail(ctx, true)
}

func (s *Store) statusOrFail(ctx context.Context, instances bool) ([]HostStatus, error) {
	hosts, err := s.status(ctx, instances)
	if err != nil {
		return nil, s.engine.fail(ctx, "read the status", err)
	}
	return hosts, nil
}

func (s *Store) status(ctx context.Context, instances bool) ([]HostStatus, error) {
	hosts, err := s.readHosts(ctx)
	if err != nil {
		return nil, err
	}
	index := make(map[string]*HostStatus, len(hosts))
	for i := range hosts {
		index[hosts[i].Host] = &hosts[i]
	}
	if err := s.readLatest(ctx, index, instances); err != nil {
		return nil, err
	}
	alerts, err := s.readAlerts(ctx, "state = ?", firing)
	if err != nil {
		return nil, err
	}
	for _, a := range alerts {
		if h := index[a.Host]; h != nil {
			h.Alerts = append(h.Alerts, a)
		}
	}
	return hosts, nil
}

func (s *Store) readHosts(ctx context.Context) ([]HostStatus, error) {
	db, cancel := s.read(ctx)
	defer cancel()
	var rows []struct {
		Host                       hostRow `gorm:"embedded"`
		Stage, Kind, Error, Advice *string // nil: the visit is not kept any more
	}
	err := db.Table("hosts").
		Select("hosts.*, visits.stage, visits.kind, visits.error, visits.advice").
		Joins("LEFT JOIN visits ON visits.sweep_time = hosts.visit_sweep AND visits.host = hosts.name" +
			" AND visits.visit_id = hosts.visit_id").
		Order("hosts.name").
		Scan(&rows).Error
	if err != nil {
		return nil, err
	}
	hosts := make([]HostStatus, 0, len(rows))
	for i := range rows {
		r, h := &rows[i], &rows[i].Host
		hosts = append(hosts, HostStatus{
			Host:      h.Name,
			Groups:    h.GroupPath,
			Address:   h.Address,
			Visited:   h.Visited.UTC(),
			Succeeded: fromNullable(h.Succeeded),
			Stage:     deref(r.Stage),
			Kind:      deref(r.Kind),
			Error:     deref(r.Error),
			Advice:    deref(r.Advice),
			Latest:    make(map[string]float64),
		})
	}
	return hosts, nil
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func (s *Store) readLatest(ctx context.Context, hosts map[string]*HostStatus, instances bool) error {
	db, cancel := s.read(ctx)
	defer cancel()
	query := db.Table("latest").Select("host, name, instance, unit, value")
	if !instances {
		query = query.Where("instance = ?", "")
	}
	rows, err := query.Rows()
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var host string
		var v InstanceValue
		if err := rows.Scan(&host, &v.Name, &v.Instance, &v.Unit, &v.Value); err != nil {
			return err
		}
		switch h := hosts[host]; {
		case h == nil:
		case v.Instance == "":
			h.Latest[v.Name] = v.Value
		default:
			h.Instances = append(h.Instances, v)
		}
	}
	for _, h := range hosts {
		slices.SortFunc(h.Instances, func(a, b InstanceValue) int {
			return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Instance, b.Instance))
		})
	}
	return rows.Err()
}
