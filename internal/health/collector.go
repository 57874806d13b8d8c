package health

import (
	"context"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// factsTimeout bounds what the Source takes.
const factsTimeout = 5 * time.Second

// fact is a metric that is made when somebody looks.
type fact struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	emit func(emit emitter, s *Status)
	own  bool // it does not need the Source's facts
}

// emitter takes a value and those of the labels.
type emitter func(value float64, labels ...string)

// factsCollector asks for the status once for each scrape and makes metrics of it.
type factsCollector struct {
	health  *Health
	metrics []fact
}

// Describe sends the descriptions of all its metrics.
func (c *factsCollector) Describe(out chan<- *prometheus.Desc) {
	for i := range c.metrics {
		out <- c.metrics[i].desc
	}
}

// Collect sends the metrics. Where the Source does not answer those that are its are absent, not 0.
func (c *factsCollector) Collect(out chan<- prometheus.Metric) {
	s := c.health.Status(context.Background())
	for i := range c.metrics {
		m := &c.metrics[i]
		if s.Facts == nil && !m.own {
			continue
		}
		m.emit(func(value float64, labels ...string) {
			out <- prometheus.MustNewConstMetric(m.desc, m.kind, value, labels...)
		}, s)
	}
}

func gauge(name, help string, emit func(emitter, *Status), labels ...string) fact {
	return fact{desc: prometheus.NewDesc(name, help, labels, nil), kind: prometheus.GaugeValue, emit: emit}
}

func counter(name, help string, value func(*Facts) uint64) fact {
	return fact{desc: prometheus.NewDesc(name, help, nil, nil), kind: prometheus.CounterValue,
		emit: func(emit emitter, s *Status) { emit(float64(value(s.Facts))) }}
}

func own(f fact) fact {
	f.own = true
	return f
}

// factMetrics returns all of them. It is a function for want of constants of this type.
func factMetrics() []fact {
	var all []fact
	all = append(all, serverMetrics()...)
	all = append(all, queueMetrics()...)
	all = append(all, logMetrics()...)
	return append(all, deliveryMetrics()...)
}

func logMetrics() []fact {
	return []fact{
		counter("muster_log_records_total", "Log records that were received and kept.",
			func(f *Facts) uint64 { return f.Logs.Records }),
		counter("muster_log_records_stored_total", "Log records that went into the database; one that came again counts again.",
			func(f *Facts) uint64 { return f.Logs.Stored }),
		gauge("muster_log_hosts_behind", "Hosts with more log records to be read than were read.",
			func(emit emitter, s *Status) { emit(float64(s.Facts.Logs.Behind)) }),
		gauge("muster_log_channels_in_trouble", "Channels of hosts that could not be read the last time.",
			func(emit emitter, s *Status) { emit(float64(s.Facts.Logs.Trouble)) }),
		gauge("muster_log_paused", "1 while no logs are asked for since the queue is filling up, 0 while they are.",
			func(emit emitter, s *Status) { emit(truth(s.Facts.Logs.Paused)) }),
		gauge("muster_log_hosts_waiting", "Hosts with logs that wait for the database to say where their reading stands.",
			func(emit emitter, s *Status) { emit(float64(s.Facts.Logs.Waiting)) }),
	}
}

func serverMetrics() []fact {
	return []fact{
		own(gauge("muster_build_info", "1, with the versions of the program and of Go.",
			func(emit emitter, s *Status) { emit(1, s.Version, runtime.Version()) }, "version", "goversion")),
		own(gauge("muster_healthy", "1 where /healthz says that all is well, 0 where it does not.",
			func(emit emitter, s *Status) { emit(truth(s.Healthy)) })),
		own(gauge("muster_scrape_success", "1 where queue and outbox answered this scrape, 0 where their metrics are absent.",
			func(emit emitter, s *Status) { emit(truth(s.Facts != nil)) })),
		own(gauge("muster_hosts", "Hosts of the configuration by state: "+
			"up and down as of the last visit, unknown before it or long after.",
			func(emit emitter, s *Status) {
				emit(float64(s.Hosts.Up), "up")
				emit(float64(s.Hosts.Down), "down")
				emit(float64(s.Hosts.Unknown), "unknown")
			}, "state")),
		own(gauge("muster_host_series_left_out", "Series of hosts that are not at /metrics/hosts, since their host has too many.",
			func(emit emitter, s *Status) { emit(float64(s.Hosts.LeftOut)) })),
		own(gauge("muster_sweep_interval_seconds", "Time between two sweeps; 0 where there is no schedule.",
			func(emit emitter, s *Status) { emit(s.Interval) })),
		own(gauge("muster_sweeps_running", "Sweeps that are under way.",
			func(emit emitter, s *Status) { emit(float64(len(s.Running))) })),
		own(gauge("muster_sweep_last_end_timestamp_seconds", "When a sweep ended last, in Unix time; absent before the first.",
			func(emit emitter, s *Status) {
				if s.Sweep != nil {
					emit(float64(s.Sweep.Ended.UnixMilli()) / 1000)
				}
			})),
		gauge("muster_ssh_connections", "Open SSH connections.",
			func(emit emitter, s *Status) { emit(float64(s.Facts.Connections)) }),
	}
}

func queueMetrics() []fact {
	each := func(value func(c *Consumer, now time.Time) float64) func(emitter, *Status) {
		return func(emit emitter, s *Status) {
			for i := range s.Facts.Queue.Consumers {
				c := &s.Facts.Queue.Consumers[i]
				emit(value(c, s.Time), c.Name)
			}
		}
	}
	return []fact{
		gauge("muster_queue_waiting_messages", "Messages in the queue that a consumer has not acknowledged.",
			each(func(c *Consumer, _ time.Time) float64 { return float64(c.Waiting) }), "consumer"),
		gauge("muster_queue_waiting_bytes", "Size of the messages that a consumer has not acknowledged.",
			each(func(c *Consumer, _ time.Time) float64 { return float64(c.Bytes) }), "consumer"),
		gauge("muster_queue_oldest_age_seconds", "Age of the oldest message that a consumer has not acknowledged; 0: none waits.",
			each(func(c *Consumer, now time.Time) float64 { return age(c.Oldest, now) }), "consumer"),
		gauge("muster_queue_size_bytes", "Size of the queue on disk.",
			func(emit emitter, s *Status) { emit(float64(s.Facts.Queue.Bytes)) }),
		gauge("muster_queue_limit_bytes", "Size at which the queue refuses new reports; 0: none.",
			func(emit emitter, s *Status) { emit(float64(s.Facts.Queue.Limit)) }),
		gauge("muster_queue_refusing", "1 while new reports are refused, 0 while they are taken.",
			func(emit emitter, s *Status) { emit(truth(s.Facts.Queue.Refusing != "")) }),
		counter("muster_queue_refused_total", "Reports that the queue refused: they are lost.",
			func(f *Facts) uint64 { return f.Queue.Refused }),
		gauge("muster_queue_dead_letters", "Reports put aside because they can't be handled.",
			func(emit emitter, s *Status) { emit(float64(s.Facts.Queue.DeadLetters)) }),
	}
}

func deliveryMetrics() []fact {
	return []fact{
		gauge("muster_database_available", "1 while the database can be used, 0 while it can't.",
			func(emit emitter, s *Status) { emit(truth(s.Facts.Database.AwaySince.IsZero())) }),
		gauge("muster_database_away_seconds", "For how long the database has not been usable; 0 while it is.",
			func(emit emitter, s *Status) { emit(age(s.Facts.Database.AwaySince, s.Time)) }),
		counter("muster_database_rows_inserted_total", "Rows inserted into the database.",
			func(f *Facts) uint64 { return f.Database.Rows }),
		counter("muster_database_batches_total", "Transactions committed with reports.",
			func(f *Facts) uint64 { return f.Database.Batches }),
		counter("muster_mails_sent_total", "Mails that the mail server took.",
			func(f *Facts) uint64 { return f.Mail.Sent }),
		counter("muster_mails_retried_total", "Attempts to send a mail that failed and are repeated.",
			func(f *Facts) uint64 { return f.Mail.Retried }),
		counter("muster_mails_refused_total", "Mails that were refused for good.",
			func(f *Facts) uint64 { return f.Mail.Refused }),
		gauge("muster_mails_waiting", "Mails that wait for the mail server.",
			func(emit emitter, s *Status) { emit(float64(s.Facts.Mail.Waiting)) }),
		gauge("muster_mail_oldest_age_seconds", "For how long the oldest mail has waited; 0: none waits.",
			func(emit emitter, s *Status) { emit(age(s.Facts.Mail.Oldest, s.Time)) }),
		gauge("muster_alerts", "Limits that are exceeded, by state: firing, or pending until their time is over.",
			func(emit emitter, s *Status) {
				emit(float64(s.Facts.Alerts.Firing), "firing")
				emit(float64(s.Facts.Alerts.Pending), "pending")
			}, "state"),
	}
}

// age returns the seconds since t; 0 where t is zero or to come.
func age(t, now time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return max(now.Sub(t).Seconds(), 0)
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
