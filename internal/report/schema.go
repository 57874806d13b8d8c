package report

import _ "embed" // for the schema

//go:embed report.xsd
var schema string

// Schema returns the XML Schema of a report, which says about as much as the language can: that the numbers are finite
// and the statistics agree with the catalogue, only Parse knows.
func Schema() []byte { return []byte(schema) }
