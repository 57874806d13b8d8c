package main

import "strings"

// dialect is how an engine, and Grafana's plugin for it, differ from the others.
type dialect struct {
	name, title string
	plugin      string
	divide      string // between integers, giving an integer
	concat      func(parts ...string) string
	target      func(c chart, sql string) target
}

// dialects returns all of them. It is a function for want of constants of this type.
func dialects() []dialect {
	call := func(parts ...string) string { return "concat(" + strings.Join(parts, ", ") + ")" }
	ofGrafana := func(c chart, sql string) target {
		t := target{RawSQL: sql, RawQuery: true, EditorMode: "code", Format: "table"}
		if c.kind == "timeseries" {
			t.Format = "time_series"
		}
		return t
	}
	return []dialect{
		{name: "mysql", title: "MySQL, MariaDB", plugin: "mysql", divide: "DIV", concat: call, target: ofGrafana},
		// Grafana 10.3 and later know the plugin by a longer name, and by this one too.
		{name: "postgres", title: "PostgreSQL", plugin: "postgres", divide: "/", concat: call, target: ofGrafana},
		{name: "sqlite", title: "SQLite", plugin: "frser-sqlite-datasource", divide: "/",
			concat: func(parts ...string) string { return strings.Join(parts, " || ") },
			target: func(c chart, sql string) target {
				t := target{QueryText: sql, RawQueryText: sql, QueryType: "table"}
				if c.kind == "timeseries" {
					t.QueryType, t.TimeColumns = "time series", []string{"time"}
				}
				return t
			}},
	}
}

// database returns the dashboard over the tables and views of docs/database.md.
//
// Its queries say the time in the milliseconds of sweep_time, which the engines have in common, and which no time zone of
// a session can shift. They reach series over time as the view samples does, but with the bound on the sweeps' own key:
// engines do not carry a bound on statistics.sweep_time over to sweeps.
func database(d dialect) dashboard {
	from := source{Type: d.plugin, UID: "${datasource}"}
	charts := append(d.fleet(), d.host()...)
	panels := layOut(charts, from, func(c chart, q query) target { return d.target(c, q.text) })
	if d.name == "sqlite" { // the other plugins name a series by its column metric
		for i := range panels {
			if panels[i].Type == "timeseries" {
				panels[i].Fields.Defaults.DisplayName = "${__field.labels.metric}"
			}
		}
	}
	return newDashboard("muster-"+d.name, "Muster ("+d.title+")", "A fleet as Muster has stored it.", d.plugin,
		"SELECT name FROM hosts ORDER BY name", panels)
}

// bucket returns the seconds, as Grafana wants them, of a sweep's time that is rounded down to the width of a point.
func (d dialect) bucket(sweep string) string {
	return "(" + sweep + " - " + sweep + " % $__interval_ms) " + d.divide + " 1000"
}

// Hosts that the fleet no longer has are still in the database, and so are what they said and how their last visit went.
// lastVisits therefore looks at those visited in the time shown.
const lastVisits = `FROM hosts h
JOIN visits v ON v.sweep_time = h.visit_sweep AND v.host = h.name AND v.visit_id = h.visit_id
WHERE h.visit_sweep BETWEEN $__from AND $__to`

// latestOf returns the latest values of a statistic, the highest first. Columns come before value.
func latestOf(statistic, columns, condition, most string) string {
	return "SELECT " + columns + ", l.value AS value\nFROM latest l\nJOIN hosts h ON h.name = l.host\n" +
		"WHERE l.name = '" + statistic + "' AND h.visit_sweep BETWEEN $__from AND $__to" + condition +
		"\nORDER BY l.value DESC, l.host, l.instance\nLIMIT " + most
}

func (d dialect) fleet() []chart {
	return []chart{
		heading("Fleet"),
		{title: "Hosts up", about: "Visited in the time shown, the last time with success.", kind: "stat", width: 4, height: 4,
			queries: []query{{text: "SELECT count(*) AS value\n" + lastVisits + " AND v.outcome = 'ok'"}}},
		{title: "Hosts down", about: "Visited in the time shown, the last time in vain.", kind: "stat", width: 4, height: 4,
			amber: 1, red: 1, queries: []query{{text: "SELECT count(*) AS value\n" + lastVisits + " AND v.outcome = 'failed'"}}},
		{title: "Visits failed", about: "In the time shown.", kind: "stat", width: 4, height: 4, amber: 1, red: 100,
			queries: []query{{text: "SELECT count(*) AS value\nFROM visits\n" + shown + " AND outcome = 'failed'"}}},
		{title: "Alerts firing", kind: "stat", width: 4, height: 4, amber: 1, red: 1,
			queries: []query{{text: "SELECT count(*) AS value\nFROM alerts\nWHERE state = 'firing'"}}},
		{title: "Age of the data", about: "Of the newest sweep that is stored: while the database was away, or is behind, it grows.",
			kind: "stat", unit: "s", width: 4, height: 4, amber: 300, red: 900,
			queries: []query{{text: "SELECT ($__to - max(sweep_time)) / 1000.0 AS value\nFROM sweeps\nWHERE sweep_time <= $__to"}}},
		{title: "Values stored", about: "In the time shown.", kind: "stat", unit: "short", width: 4, height: 4,
			queries: []query{{text: "SELECT count(*) AS value\nFROM statistics\n" + shown}}},
		{title: "Busiest CPUs", kind: "bargauge", unit: "percent", width: 8, height: 9, most: 100, amber: 70, red: 90,
			queries: []query{{text: latestOf("cpu.usage", "l.host AS host", "", "10")}}},
		{title: "Fullest memory", kind: "bargauge", unit: "percent", width: 8, height: 9, most: 100, amber: 80, red: 90,
			queries: []query{{text: latestOf("memory.usage", "l.host AS host", "", "10")}}},
		{title: "Disks nearly full", about: "Above 80%.", kind: "table", unit: "percent", width: 8, height: 9,
			queries: []query{{text: latestOf("disk.usage", "l.host AS host, l.instance AS mount", " AND l.value > 80", "20")}}},
		{title: "Alerts", about: "That fire, the oldest first.", kind: "table", width: 12, height: 8, queries: []query{
			{text: "SELECT host, statistic, instance, limit_text AS exceeds, value, unit, since\nFROM alerts\n" +
				"WHERE state = 'firing'\nORDER BY since, id\nLIMIT 100"}}},
		{title: "Hosts that fail", kind: "table", width: 12, height: 8, queries: []query{
			{text: "SELECT h.name AS host, v.stage, v.kind, v.error, v.advice, h.succeeded\n" + lastVisits +
				" AND v.outcome = 'failed'\nORDER BY h.name\nLIMIT 100"}}},
		{title: "Visits by outcome", kind: "timeseries", width: 8, height: 7,
			queries: []query{d.visits("outcome", "count(*)", "")}},
		{title: "Failures", kind: "timeseries", width: 8, height: 7,
			queries: []query{d.visits(d.concat("stage", "': '", "kind"), "count(*)", " AND outcome = 'failed'")}},
		{title: "Duration of visits", kind: "timeseries", unit: "s", width: 8, height: 7, queries: []query{
			d.visits("'mean'", "avg(seconds)", " AND outcome = 'ok'"), d.visits("'longest'", "max(seconds)", " AND outcome = 'ok'")}},
	}
}

// shown bounds visits and statistics by the time shown.
const shown = "WHERE sweep_time BETWEEN $__from AND $__to"

// visits returns something of all visits in the time shown.
func (d dialect) visits(metric, value, condition string) query {
	return query{text: "SELECT " + d.bucket("sweep_time") + " AS time, " + metric + " AS metric, " + value + " AS value\n" +
		"FROM visits\n" + shown + condition + "\nGROUP BY 1, 2\nORDER BY 1, 2"}
}

// series returns what the host reported of some statistics over the time shown.
func (d dialect) series(metric string, statistics ...string) query {
	return query{text: "SELECT " + d.bucket("w.sweep_time") + " AS time, " + metric + " AS metric, avg(st.value) AS value\n" +
		"FROM series s\nCROSS JOIN sweeps w\nCROSS JOIN statistics st\n" +
		"WHERE st.sweep_time = w.sweep_time AND st.series_id = s.id AND s.host = ${host:sqlstring}\n" +
		"  AND s.name IN ('" + strings.Join(statistics, "', '") + "')\n" +
		"  AND w.sweep_time BETWEEN $__from AND $__to\nGROUP BY 1, 2\nORDER BY 1, 2"}
}

// now returns the host's latest value of a statistic that has one instance.
func now(statistic string) []query {
	return []query{{text: "SELECT value\nFROM latest\n" +
		"WHERE host = ${host:sqlstring} AND name = '" + statistic + "' AND instance = ''"}}
}

func (d dialect) host() []chart {
	both := d.concat("s.name", "' '", "s.instance")
	return []chart{
		heading("Host $host"),
		{title: "Visited", about: "How long before the end of the time shown.", kind: "stat", unit: "s", width: 6, height: 4,
			queries: []query{{text: "SELECT ($__to - visit_sweep) / 1000.0 AS value\nFROM hosts\nWHERE name = ${host:sqlstring}"}}},
		{title: "Uptime", kind: "stat", unit: "s", width: 6, height: 4, queries: now("uptime")},
		{title: "CPU", kind: "stat", unit: "percent", width: 6, height: 4, amber: 70, red: 90, queries: now("cpu.usage")},
		{title: "Memory", kind: "stat", unit: "percent", width: 6, height: 4, amber: 80, red: 90, queries: now("memory.usage")},
		{title: "CPU, memory, swap", kind: "timeseries", unit: "percent", width: 8, height: 7, most: 100,
			queries: []query{d.series("s.name", "cpu.usage", "memory.usage", "swap.usage")}},
		{title: "CPU by mode", kind: "timeseries", unit: "percent", width: 8, height: 7,
			queries: []query{d.series("s.instance", "cpu.share")}},
		{title: "Load", kind: "timeseries", width: 8, height: 7,
			queries: []query{d.series("s.name", "load.1", "load.5", "load.15", "cpu.count")}},
		{title: "File systems", kind: "timeseries", unit: "percent", width: 8, height: 7, most: 100,
			queries: []query{d.series("s.instance", "disk.usage")}},
		{title: "Disks", kind: "timeseries", unit: "Bps", width: 8, height: 7,
			queries: []query{d.series(both, "disk.read.rate", "disk.written.rate")}},
		{title: "Networks", kind: "timeseries", unit: "Bps", width: 8, height: 7,
			queries: []query{d.series(both, "network.received.rate", "network.sent.rate")}},
		{title: "Temperatures", kind: "timeseries", unit: "celsius", width: 8, height: 7,
			queries: []query{d.series("s.instance", "temperature")}},
		{title: "Processes, users", kind: "timeseries", width: 8, height: 7,
			queries: []query{d.series("s.name", "processes.count", "processes.running", "processes.blocked", "users.count")}},
		{title: "Duration of the visits", kind: "timeseries", unit: "s", width: 8, height: 7, queries: []query{{text: "SELECT " +
			d.bucket("w.sweep_time") + " AS time, v.outcome AS metric, max(v.seconds) AS value\nFROM sweeps w\nCROSS JOIN visits v\n" +
			"WHERE v.sweep_time = w.sweep_time AND v.host = ${host:sqlstring}\n" +
			"  AND w.sweep_time BETWEEN $__from AND $__to\nGROUP BY 1, 2\nORDER BY 1, 2"}}},
		{title: "Everything it reported last", kind: "table", width: 12, height: 10, queries: []query{
			{text: "SELECT name, instance, value, unit\nFROM latest\nWHERE host = ${host:sqlstring}\nORDER BY name, instance"}}},
		{title: "Its failures", about: "In the time shown, the newest first.", kind: "table", width: 12, height: 10, queries: []query{
			{text: "SELECT w.time, v.stage, v.kind, v.error, v.advice\nFROM sweeps w\nCROSS JOIN visits v\n" +
				"WHERE v.sweep_time = w.sweep_time AND v.host = ${host:sqlstring} AND v.outcome <> 'ok'\n" +
				"  AND w.sweep_time BETWEEN $__from AND $__to\nORDER BY w.sweep_time DESC\nLIMIT 50"}}},
	}
}
