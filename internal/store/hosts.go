package store

import (
	"context"
	"slices"
	"time"

	"gorm.io/gorm"
)

// SetHosts says which hosts the configuration has, as of now. Those of the database that are not among names are marked
// as removed, from which on the view latest and Status' values leave them out; the mark of those that are is taken off.
// Rows and history of removed hosts stay. Hosts that were never visited are not in the database, and not added. A visit
// to a removed host that begins later, by a server whose configuration has it, takes the mark off too.
//
// Errors: ErrUnavailable, or ctx's.
func (s *Store) SetHosts(ctx context.Context, names []string, now time.Time) error {
	configured := make(map[string]bool, len(names))
	for _, name := range names {
		configured[key(name, maxHost)] = true
	}
	return s.transact(ctx, "mark the hosts that are removed", func(tx *gorm.DB) error {
		var hosts []hostRow
		if err := tx.Select("name", "removed").Order("name").Find(&hosts).Error; err != nil {
			return err
		}
		var gone, back []string
		for _, h := range hosts {
			switch {
			case h.Removed == nil && !configured[h.Name]:
				gone = append(gone, h.Name)
			case h.Removed != nil && configured[h.Name]:
				back = append(back, h.Name)
			}
		}
		if err := setRemoved(tx, gone, nullable(now)); err != nil {
			return err
		}
		return setRemoved(tx, back, nil)
	})
}

func setRemoved(tx *gorm.DB, names []string, removed *time.Time) error {
	for chunk := range slices.Chunk(names, rowsMax) {
		if err := tx.Model(&hostRow{}).Where("name IN ?", chunk).Update("removed", removed).Error; err != nil {
			return err
		}
	}
	return nil
}
