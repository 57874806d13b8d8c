package store

import "gorm.io/gorm/clause"

// upsert makes the clause of an INSERT that updates rows which exist. Names are our own, never data.
type upsert struct {
	engine *engine
	table  string
	key    string
	set    []clause.Assignment
}

// incoming is the value of a column that the INSERT brings.
func (u *upsert) incoming(column string) string { return u.engine.incoming(column) }

// stored is the value of a column in the row that exists.
func (u *upsert) stored(column string) string { return u.table + "." + column }

// replace sets columns to their incoming values.
func (u *upsert) replace(columns ...string) {
	for _, column := range columns {
		u.set = append(u.set, clause.Assignment{
			Column: clause.Column{Name: column},
			Value:  clause.Expr{SQL: u.incoming(column)},
		})
	}
}

// advance sets columns to their incoming values where the condition holds. It spells that as CASE in each column, because
// MySQL has no WHERE there. Columns that the condition is about come last:
// MySQL assigns from left to right and sees what it has assigned.
func (u *upsert) advance(condition string, columns ...string) {
	for _, column := range columns {
		u.set = append(u.set, clause.Assignment{
			Column: clause.Column{Name: column},
			Value: clause.Expr{
				SQL: "CASE WHEN " + condition + " THEN " + u.incoming(column) + " ELSE " + u.stored(column) + " END",
			},
		})
	}
}

func (u *upsert) clause() clause.OnConflict {
	return clause.OnConflict{Columns: []clause.Column{{Name: u.key}}, DoUpdates: u.set}
}
