package store

import (
	"fmt"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

const docs = "../../docs/database.md"

// question is a heading of the docs with its query for each engine; "" for those that have none of their own.
type question struct {
	title   string
	queries map[string]string
}

func (q question) query(engine string) string {
	if own, ok := q.queries[engine]; ok {
		return own
	}
	return q.queries[""]
}

// readQuestions returns the queries in the docs: the fenced blocks "sql", or "sql ENGINE", under each heading.
func readQuestions(t *testing.T) []question {
	t.Helper()
	text, err := os.ReadFile(docs)
	if err != nil {
		t.Fatal(err)
	}
	var questions []question
	for section := range strings.SplitSeq(string(text), "\n### ") {
		title, body, _ := strings.Cut(section, "\n")
		q := question{title: title, queries: make(map[string]string)}
		for _, m := range regexp.MustCompile("(?s)```sql ?([a-z]*)\n(.*?);\n```").FindAllStringSubmatch(body, -1) {
			q.queries[m[1]] = m[2]
		}
		if len(q.queries) > 0 {
			questions = append(questions, q)
		}
	}
	return questions
}

// testDocs runs every query of the docs over books whose answers are known, and looks at the plans of those that would
// be slow on a big database if they were planned badly.
func testDocs(t *testing.T, x *target) {
	s := x.open(t)
	hosts := 100 // PostgreSQL reads small tables whole, whatever their keys; the others plan alike for a few
	if s.engine.name != "postgres" {
		hosts = scaled(hosts, 12)
	}
	b := newBooks(time.Now().UTC(), hosts)
	b.write(t, s)
	answers := b.answers()
	for _, q := range readQuestions(t) {
		t.Run(q.title, func(t *testing.T) {
			want, ok := answers[q.title]
			if !ok {
				t.Fatal("no answer is known")
			}
			delete(answers, q.title)
			query := q.query(s.engine.name)
			if query == "" {
				t.Fatalf("the docs have no query for %s", s.engine.name)
			}
			got := table(t, s, query)
			if !slices.EqualFunc(got, want.rows, matches) {
				t.Errorf("the answer is\n%s\nwant\n%s", render(got), render(want.rows))
			}
			if want.keyed {
				checkPlan(t, s, query)
			}
		})
	}
	for title := range answers {
		t.Errorf("the docs have no question %q", title)
	}
	// Whatever the planner has learnt of the tables, and with nothing said of the time.
	if s.engine.name != "mysql" {
		if err := s.db.Exec("ANALYZE").Error; err != nil {
			t.Fatal(err)
		}
	}
	checkPlan(t, s, "SELECT time, value FROM samples WHERE host = 'web1' AND name = 'cpu.usage' AND instance = ''")
	checkPlan(t, s, "SELECT name, value FROM latest WHERE host = 'web1'")
}

func render(rows [][]string) string {
	var b strings.Builder
	for _, row := range rows {
		b.WriteString(strings.Join(row, " | ") + "\n")
	}
	return b.String()
}

// matches compares cells; what is wanted may be "*": anything, or ">0".
func matches(got, want []string) bool {
	return slices.EqualFunc(got, want, func(g, w string) bool {
		if w == ">0" {
			n, err := strconv.ParseFloat(g, 64)
			return err == nil && n > 0
		}
		return w == "*" || g == w
	})
}

// table runs a query and returns its cells as text that is the same on all engines.
func table(t *testing.T, s *Store, query string) [][]string {
	t.Helper()
	rows, err := s.pool.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatalf("%s\n%v", query, err)
	}
	defer func() { _ = rows.Close() }()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var all [][]string
	for rows.Next() {
		cells := make([]any, len(columns))
		into := make([]any, len(columns))
		for i := range cells {
			into[i] = &cells[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		texts := make([]string, len(cells))
		for i, c := range cells {
			texts[i] = cell(c)
		}
		all = append(all, texts)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

func cell(v any) string {
	switch v := v.(type) {
	case nil:
		return "NULL"
	case time.Time:
		return instant(v)
	case []byte:
		return cell(string(v))
	case string:
		if f, err := strconv.ParseFloat(v, 64); err == nil {
			return number(f)
		}
		if strings.HasPrefix(v, "{") {
			return strings.ReplaceAll(v, `": `, `":`)
		}
		return v
	case float64:
		return number(v)
	}
	return fmt.Sprint(v)
}

func instant(t time.Time) string {
	if t.UTC().Equal(t.UTC().Truncate(24 * time.Hour)) {
		return t.UTC().Format(time.DateOnly)
	}
	return t.UTC().Format("2006-01-02 15:04:05")
}

func number(f float64) string { return strconv.FormatFloat(math.Round(f*1000)/1000, 'f', -1, 64) }

// checkPlan sees to it that a query looks statistics up by their key, and does not read the whole table.
func checkPlan(t *testing.T, s *Store, query string) {
	t.Helper()
	var good, bad *regexp.Regexp
	explain := "EXPLAIN "
	switch s.engine.name {
	case "sqlite":
		explain = "EXPLAIN QUERY PLAN "
		good = regexp.MustCompile(`SEARCH st USING PRIMARY KEY \(sweep_time=\? AND series_id=\?\)`)
		bad = regexp.MustCompile(`SCAN st\b`)
	case "mysql":
		good = regexp.MustCompile(`\| st \| eq_ref \| PRIMARY \|`)
		bad = regexp.MustCompile(`\| st \| (ALL|index|range) \|`)
	case "postgres":
		good = regexp.MustCompile(`Index (Only )?Scan using statistics_pkey on statistics st`)
		bad = regexp.MustCompile(`Seq Scan on statistics`)
	}
	plan := render(table(t, s, explain+query))
	if !good.MatchString(plan) || bad.MatchString(plan) {
		t.Errorf("it does not look the values up by their key:\n%s\n%s", query, plan)
	}
}
