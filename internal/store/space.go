package store

import (
	"context"
	"database/sql"
)

// largestMeasured is the largest SQLite file whose pages are looked at one by one: 2 GiB take some seconds.
const largestMeasured = 2 << 30

// sqliteSpace reads the file's header, and which table each page belongs to.
func sqliteSpace(ctx context.Context, pool *sql.DB) (space, error) {
	var taken space
	err := pool.QueryRowContext(ctx, "SELECT page_count * page_size, freelist_count * page_size"+
		" FROM pragma_page_count(), pragma_page_size(), pragma_freelist_count()").Scan(&taken.bytes, &taken.free)
	if err != nil || taken.bytes > largestMeasured {
		return taken, err
	}
	taken.tables, err = tableBytes(ctx, pool, "SELECT m.tbl_name, sum(d.pgsize) FROM dbstat d JOIN sqlite_schema m ON m.name = d.name"+
		" WHERE d.aggregate = TRUE GROUP BY m.tbl_name")
	return taken, err
}

// mysqlSpace reads the server's own statistics, which it brings up to date from time to time.
func mysqlSpace(ctx context.Context, pool *sql.DB) (space, error) {
	var taken space
	const own = " FROM information_schema.tables WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE'"
	err := pool.QueryRowContext(ctx, "SELECT coalesce(sum(data_length + index_length + data_free), 0), coalesce(sum(data_free), 0)"+own).
		Scan(&taken.bytes, &taken.free)
	if err != nil {
		return taken, err
	}
	taken.tables, err = tableBytes(ctx, pool, "SELECT table_name, data_length + index_length"+own)
	return taken, err
}

// postgresSpace asks for the size of the files. What is free in them PostgreSQL does not tell without reading them.
func postgresSpace(ctx context.Context, pool *sql.DB) (space, error) {
	var taken space
	if err := pool.QueryRowContext(ctx, "SELECT pg_database_size(current_database())").Scan(&taken.bytes); err != nil {
		return taken, err
	}
	var err error
	taken.tables, err = tableBytes(ctx, pool, "SELECT relname, pg_total_relation_size(oid) FROM pg_class"+
		" WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace")
	return taken, err
}

// tableBytes runs a query for the bytes of each table.
func tableBytes(ctx context.Context, pool *sql.DB, query string) (map[string]int64, error) {
	rows, err := pool.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	bytes := make(map[string]int64)
	for rows.Next() {
		var table string
		var n int64
		if err := rows.Scan(&table, &n); err != nil {
			return nil, err
		}
		bytes[table] = n
	}
	return bytes, rows.Err()
}
