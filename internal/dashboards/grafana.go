package main

// The form of a dashboard, as far as it is used here: Grafana's JSON model, schema version 39 (Grafana 10 and later).
// https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/

type dashboard struct {
	UID           string     `json:"uid"`
	Title         string     `json:"title"`
	Description   string     `json:"description"`
	Tags          []string   `json:"tags"`
	SchemaVersion int        `json:"schemaVersion"`
	Version       int        `json:"version"`
	Editable      bool       `json:"editable"`
	Refresh       string     `json:"refresh"`
	Time          span       `json:"time"`
	Timezone      string     `json:"timezone"`
	Templating    templating `json:"templating"`
	Panels        []panel    `json:"panels"`
}

type span struct {
	From string `json:"from"`
	To   string `json:"to"`
}

type templating struct {
	List []variable `json:"list"`
}

type variable struct {
	Name       string  `json:"name"`
	Label      string  `json:"label"`
	Type       string  `json:"type"`
	Datasource *source `json:"datasource,omitempty"`
	Query      any     `json:"query"`
	Refresh    int     `json:"refresh"`
	Sort       int     `json:"sort,omitempty"`
}

type source struct {
	Type string `json:"type"`
	UID  string `json:"uid"`
}

type panel struct {
	ID          int            `json:"id"`
	Type        string         `json:"type"`
	Title       string         `json:"title"`
	Description string         `json:"description,omitempty"`
	Grid        grid           `json:"gridPos"`
	Datasource  *source        `json:"datasource,omitempty"`
	Targets     []target       `json:"targets,omitempty"`
	Fields      *fieldConfig   `json:"fieldConfig,omitempty"`
	Options     map[string]any `json:"options,omitempty"`
}

type grid struct {
	H int `json:"h"`
	W int `json:"w"`
	X int `json:"x"`
	Y int `json:"y"`
}

// target is a query of a panel: PromQL in Expr, SQL in RawSQL, or for SQLite's plugin in QueryText.
type target struct {
	RefID      string `json:"refId"`
	Datasource source `json:"datasource"`

	Expr         string `json:"expr,omitempty"`
	LegendFormat string `json:"legendFormat,omitempty"`
	Instant      bool   `json:"instant,omitempty"`
	Range        bool   `json:"range,omitempty"`

	RawSQL     string `json:"rawSql,omitempty"`
	RawQuery   bool   `json:"rawQuery,omitempty"`
	EditorMode string `json:"editorMode,omitempty"`
	Format     string `json:"format,omitempty"`

	QueryText    string   `json:"queryText,omitempty"`
	RawQueryText string   `json:"rawQueryText,omitempty"`
	QueryType    string   `json:"queryType,omitempty"`
	TimeColumns  []string `json:"timeColumns,omitempty"`
}

type fieldConfig struct {
	Defaults  fieldDefaults `json:"defaults"`
	Overrides []any         `json:"overrides"`
}

type fieldDefaults struct {
	Unit        string      `json:"unit,omitempty"`
	Min         *float64    `json:"min,omitempty"`
	Max         *float64    `json:"max,omitempty"`
	DisplayName string      `json:"displayName,omitempty"`
	Color       *color      `json:"color,omitempty"`
	Thresholds  *thresholds `json:"thresholds,omitempty"`
}

type color struct {
	Mode string `json:"mode"`
}

type thresholds struct {
	Mode  string `json:"mode"`
	Steps []step `json:"steps"`
}

// step is a colour from a value on; the first has none.
type step struct {
	Color string   `json:"color"`
	Value *float64 `json:"value"`
}

// chart is a panel before it has a place.
type chart struct {
	title, about string
	kind         string // stat, timeseries, bargauge, table; row: a heading
	unit         string
	width        int // of 24
	height       int
	amber, red   float64 // from which value on it is so coloured; both 0: never
	inverse      bool    // it is so coloured below those values
	most         float64 // the end of the scale; 0: it is open
	queries      []query
}

// query is what a panel asks.
type query struct {
	text   string
	legend string // of PromQL
}

// heading begins a group of panels.
func heading(title string) chart { return chart{title: title, kind: "row", width: 24, height: 1} }

// layOut gives the panels their places, from left to right and from top to bottom, and their numbers.
func layOut(charts []chart, from source, aim func(c chart, q query) target) []panel {
	var panels []panel
	x, y, tallest := 0, 0, 0
	for i, c := range charts {
		if x+c.width > 24 {
			x, y, tallest = 0, y+tallest, 0
		}
		p := panel{ID: i + 1, Type: c.kind, Title: c.title, Description: c.about, Grid: grid{H: c.height, W: c.width, X: x, Y: y}}
		x, tallest = x+c.width, max(tallest, c.height)
		if c.kind != "row" {
			p.Datasource = &from
			for j, q := range c.queries {
				t := aim(c, q)
				t.RefID, t.Datasource = string(rune('A'+j)), from
				p.Targets = append(p.Targets, t)
			}
			p.Fields, p.Options = c.fields(), c.options()
		}
		panels = append(panels, p)
	}
	return panels
}

func (c *chart) fields() *fieldConfig {
	f := &fieldConfig{Overrides: []any{}}
	f.Defaults.Unit = c.unit
	if c.most > 0 {
		least := 0.0
		f.Defaults.Min, f.Defaults.Max = &least, &c.most
	}
	if c.amber == 0 && c.red == 0 {
		return f
	}
	colours := []string{"green", "orange", "red"}
	amber, red := &c.amber, &c.red
	if c.inverse {
		colours = []string{"red", "orange", "green"}
		amber, red = red, amber
	}
	f.Defaults.Color = &color{Mode: "thresholds"}
	f.Defaults.Thresholds = &thresholds{Mode: "absolute", Steps: []step{{colours[0], nil}, {colours[1], amber}, {colours[2], red}}}
	return f
}

func (c *chart) options() map[string]any {
	last := map[string]any{"calcs": []string{"lastNotNull"}, "fields": "", "values": false}
	switch c.kind {
	case "stat":
		return map[string]any{"reduceOptions": last, "colorMode": "value", "graphMode": "none"}
	case "bargauge":
		if len(c.queries) == 1 && c.queries[0].legend == "" { // rows of a table
			last["values"] = true
		}
		return map[string]any{"reduceOptions": last, "orientation": "horizontal", "displayMode": "gradient"}
	case "timeseries":
		return map[string]any{
			"legend":  map[string]any{"displayMode": "list", "placement": "bottom", "showLegend": true},
			"tooltip": map[string]any{"mode": "multi", "sort": "desc"},
		}
	}
	return nil
}

// newDashboard returns one with what all have in common.
func newDashboard(uid, title, about, plugin string, hosts any, panels []panel) dashboard {
	from := source{Type: plugin, UID: "${datasource}"}
	return dashboard{
		UID: uid, Title: title, Description: about, Tags: []string{"muster"}, SchemaVersion: 39, Version: 1, Editable: true,
		Refresh: "1m", Time: span{"now-6h", "now"}, Timezone: "browser",
		Templating: templating{List: []variable{
			{Name: "datasource", Label: "Data source", Type: "datasource", Query: plugin, Refresh: 1},
			{Name: "host", Label: "Host", Type: "query", Datasource: &from, Query: hosts, Refresh: 2, Sort: 1},
		}},
		Panels: panels,
	}
}
