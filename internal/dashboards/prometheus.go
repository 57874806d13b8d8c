package main

// prometheus returns the dashboard over /metrics and /metrics/hosts.
func prometheus() dashboard {
	from := source{Type: "prometheus", UID: "${datasource}"}
	var charts []chart
	for _, group := range [][]chart{promFleet(), promServer(), promVisits(), promHost()} {
		charts = append(charts, group...)
	}
	panels := layOut(charts, from, func(c chart, q query) target {
		t := target{Expr: q.text, LegendFormat: q.legend, Range: c.kind == "timeseries", Instant: c.kind != "timeseries"}
		if c.kind == "table" {
			t.Format = "table"
		}
		return t
	})
	hosts := map[string]any{"query": "label_values(muster_host_up, host)", "refId": "hosts"}
	return newDashboard("muster-prometheus", "Muster (Prometheus)",
		"A fleet and the server that visits it, as Prometheus has scraped them.", from.Type, hosts, panels)
}

func promFleet() []chart {
	return []chart{
		heading("Fleet"),
		{title: "Hosts up", kind: "stat", width: 3, height: 4, queries: []query{{`sum(muster_hosts{state="up"})`, ""}}},
		{title: "Hosts down", kind: "stat", width: 3, height: 4, amber: 1, red: 1,
			queries: []query{{`sum(muster_hosts{state="down"})`, ""}}},
		{title: "Hosts unknown", about: "Not visited yet, or not for long.", kind: "stat", width: 3, height: 4, amber: 1, red: 1,
			queries: []query{{`sum(muster_hosts{state="unknown"})`, ""}}},
		{title: "Visits failed", about: "In the time shown.", kind: "stat", width: 3, height: 4, amber: 1, red: 100,
			queries: []query{{`sum(increase(muster_visits_total{outcome="failed"}[$__range]))`, ""}}},
		{title: "Alerts firing", kind: "stat", width: 3, height: 4, amber: 1, red: 1,
			queries: []query{{`sum(muster_alerts{state="firing"})`, ""}}},
		{title: "Queue age", about: "Of the oldest report that waits for the database or the alerts.", kind: "stat", unit: "s",
			width: 3, height: 4, amber: 60, red: 600, queries: []query{{`max(muster_queue_oldest_age_seconds)`, ""}}},
		{title: "Database", about: "For how long it has not been usable.", kind: "stat", unit: "s", width: 3, height: 4, amber: 1,
			red: 60, queries: []query{{`max(muster_database_away_seconds)`, ""}}},
		{title: "Healthy", about: "As /healthz says: 1 or 0.", kind: "stat", width: 3, height: 4, amber: 1, red: 1, inverse: true,
			queries: []query{{`min(muster_healthy)`, ""}}},
		{title: "Busiest CPUs", kind: "bargauge", unit: "percentunit", width: 8, height: 9, most: 1, amber: .7, red: .9,
			queries: []query{{`sort_desc(topk(10, muster_host_cpu_usage_ratio))`, "{{host}}"}}},
		{title: "Fullest memory", kind: "bargauge", unit: "percentunit", width: 8, height: 9, most: 1, amber: .8, red: .9,
			queries: []query{{`sort_desc(topk(10, system_memory_utilization_ratio))`, "{{host}}"}}},
		{title: "Disks nearly full", about: "Above 80%.", kind: "bargauge", unit: "percentunit", width: 8, height: 9, most: 1,
			amber: .85, red: .95, queries: []query{
				{`sort_desc(topk(20, system_filesystem_utilization_ratio > 0.8))`, "{{host}} {{system_filesystem_mountpoint}}"}}},
		{title: "Hosts that fail", kind: "table", width: 24, height: 6,
			queries: []query{{`sort_desc(muster_host_up == 0)`, ""}}},
	}
}

func promServer() []chart {
	const server = " and on (job, instance) muster_build_info"
	return []chart{
		heading("Server"),
		{title: "Reports that wait", kind: "timeseries", width: 8, height: 7,
			queries: []query{{`sum by (consumer) (muster_queue_waiting_messages)`, "{{consumer}}"}}},
		{title: "Age of the oldest that waits", kind: "timeseries", unit: "s", width: 8, height: 7,
			queries: []query{{`max by (consumer) (muster_queue_oldest_age_seconds)`, "{{consumer}}"},
				{`max(muster_mail_oldest_age_seconds)`, "mail"}}},
		{title: "Size of the queue", kind: "timeseries", unit: "bytes", width: 8, height: 7,
			queries: []query{{`sum(muster_queue_size_bytes)`, "on disk"}, {`sum(muster_queue_limit_bytes)`, "limit"}}},
		{title: "Lost, put aside, left out", kind: "timeseries", width: 8, height: 7, queries: []query{
			{`sum(increase(muster_queue_refused_total[$__rate_interval]))`, "reports refused"},
			{`sum(muster_queue_dead_letters)`, "dead letters"}, {`sum(muster_host_series_left_out)`, "series left out"}}},
		{title: "Rows inserted", kind: "timeseries", unit: "ops", width: 8, height: 7,
			queries: []query{{`sum(rate(muster_database_rows_inserted_total[$__rate_interval]))`, "rows a second"},
				{`sum(rate(muster_database_batches_total[$__rate_interval]))`, "transactions a second"}}},
		{title: "Mail", kind: "timeseries", width: 8, height: 7, queries: []query{
			{`sum(increase(muster_mails_sent_total[$__rate_interval]))`, "sent"},
			{`sum(increase(muster_mails_retried_total[$__rate_interval]))`, "tried again"},
			{`sum(increase(muster_mails_refused_total[$__rate_interval]))`, "refused"}, {`sum(muster_mails_waiting)`, "waiting"}}},
		{title: "Alerts", kind: "timeseries", width: 6, height: 7,
			queries: []query{{`sum by (state) (muster_alerts)`, "{{state}}"}}},
		{title: "CPU", kind: "timeseries", unit: "percentunit", width: 6, height: 7,
			queries: []query{{`rate(process_cpu_seconds_total[$__rate_interval])` + server, "{{instance}}"}}},
		{title: "Memory", kind: "timeseries", unit: "bytes", width: 6, height: 7,
			queries: []query{{`process_resident_memory_bytes` + server, "{{instance}}"}}},
		{title: "Goroutines, connections, files", kind: "timeseries", width: 6, height: 7, queries: []query{
			{`go_goroutines` + server, "goroutines"}, {`muster_ssh_connections`, "SSH connections"},
			{`process_open_fds` + server, "open files"}}},
	}
}

func promVisits() []chart {
	const buckets = `sum by (le) (rate(muster_visit_duration_seconds_bucket{outcome="ok"}[$__rate_interval]))`
	return []chart{
		heading("Visits"),
		{title: "Visits by outcome", kind: "timeseries", unit: "ops", width: 8, height: 7,
			queries: []query{{`sum by (outcome) (rate(muster_visits_total[$__rate_interval]))`, "{{outcome}}"}}},
		{title: "Failures", kind: "timeseries", width: 8, height: 7, queries: []query{
			{`sum by (stage, kind) (increase(muster_visit_failures_total[$__rate_interval]))`, "{{stage}}: {{kind}}"}}},
		{title: "Sweeps", kind: "timeseries", unit: "s", width: 8, height: 7, queries: []query{
			{`sum(rate(muster_sweep_duration_seconds_sum[$__rate_interval])) / ` +
				`sum(rate(muster_sweep_duration_seconds_count[$__rate_interval]))`, "mean duration"},
			{`max(muster_sweep_interval_seconds)`, "interval"},
			{`time() - max(muster_sweep_last_end_timestamp_seconds)`, "since the last"}}},
		{title: "Duration of visits", kind: "timeseries", unit: "s", width: 8, height: 7, queries: []query{
			{`histogram_quantile(0.5, ` + buckets + `)`, "median"}, {`histogram_quantile(0.99, ` + buckets + `)`, "99%"}}},
		{title: "Where the time goes", about: "Mean duration of the stages.", kind: "timeseries", unit: "s", width: 8, height: 7,
			queries: []query{{`sum by (stage) (rate(muster_visit_stage_duration_seconds_sum[$__rate_interval])) / ` +
				`(sum by (stage) (rate(muster_visit_stage_duration_seconds_count[$__rate_interval])) > 0)`, "{{stage}}"}}},
		{title: "On the wire", kind: "timeseries", unit: "Bps", width: 8, height: 7, queries: []query{
			{`sum by (direction) (rate(muster_visit_bytes_total[$__rate_interval]))`, "{{direction}}"},
			{`sum(increase(muster_client_uploads_total[$__rate_interval]))`, "clients put on hosts"}}},
	}
}

func promHost() []chart {
	const host = `{host="$host"}`
	const network = "{{network_interface_name}} {{network_io_direction}}"
	return []chart{
		heading("Host $host"),
		{title: "Up", kind: "stat", width: 4, height: 4, amber: 1, red: 1, inverse: true,
			queries: []query{{`muster_host_up` + host, ""}}},
		{title: "Visited", about: "How long ago.", kind: "stat", unit: "s", width: 4, height: 4,
			queries: []query{{`time() - muster_host_visit_timestamp_seconds` + host, ""}}},
		{title: "Uptime", kind: "stat", unit: "s", width: 4, height: 4, queries: []query{{`system_uptime_seconds` + host, ""}}},
		{title: "CPU", kind: "stat", unit: "percentunit", width: 4, height: 4, amber: .7, red: .9,
			queries: []query{{`muster_host_cpu_usage_ratio` + host, ""}}},
		{title: "Memory", kind: "stat", unit: "percentunit", width: 4, height: 4, amber: .8, red: .9,
			queries: []query{{`system_memory_utilization_ratio` + host, ""}}},
		{title: "Processes", kind: "stat", width: 4, height: 4, queries: []query{{`muster_host_processes` + host, ""}}},
		{title: "What it is", kind: "table", width: 24, height: 4, queries: []query{{`muster_host_info` + host, ""}}},
		{title: "CPU by mode", kind: "timeseries", unit: "percentunit", width: 8, height: 7,
			queries: []query{{`system_cpu_utilization_ratio{host="$host",cpu_mode!="idle"}`, "{{cpu_mode}}"}}},
		{title: "Load", kind: "timeseries", width: 8, height: 7, queries: []query{{`muster_host_load_1` + host, "1 minute"},
			{`muster_host_load_5` + host, "5 minutes"}, {`system_cpu_logical_count` + host, "CPUs"}}},
		{title: "Memory", kind: "timeseries", unit: "bytes", width: 8, height: 7, queries: []query{
			{`system_memory_usage_bytes` + host, "{{system_memory_state}}"}, {`system_memory_limit_bytes` + host, "total"},
			{`system_paging_usage_bytes` + host, "swap"}}},
		{title: "File systems", kind: "timeseries", unit: "percentunit", width: 8, height: 7, most: 1,
			queries: []query{{`system_filesystem_utilization_ratio` + host, "{{system_filesystem_mountpoint}}"}}},
		{title: "Disks", kind: "timeseries", unit: "Bps", width: 8, height: 7, queries: []query{
			{`rate(system_disk_io_bytes_total` + host + `[$__rate_interval])`, "{{system_device}} {{disk_io_direction}}"}}},
		{title: "Networks", kind: "timeseries", unit: "Bps", width: 8, height: 7, queries: []query{
			{`rate(system_network_io_bytes_total` + host + `[$__rate_interval])`, network}}},
		{title: "Network errors and drops", kind: "timeseries", unit: "pps", width: 8, height: 7, queries: []query{
			{`rate(system_network_errors_total` + host + `[$__rate_interval])`, network + " errors"},
			{`rate(system_network_packet_dropped_total` + host + `[$__rate_interval])`, network + " drops"}}},
		{title: "Temperatures", kind: "timeseries", unit: "celsius", width: 8, height: 7,
			queries: []query{{`hw_temperature_celsius` + host, "{{hw_id}}"}}},
		{title: "Duration of the visits", kind: "timeseries", unit: "s", width: 8, height: 7,
			queries: []query{{`muster_host_visit_duration_seconds` + host, "last visit"}}},
	}
}
