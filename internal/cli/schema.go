package cli

import (
	"muster/internal/config"
	"muster/internal/report"
)

type schemaCommand struct {
	Of string `arg:"" optional:"" enum:"config,report" default:"config" help:"config (default) or report."`
}

// Help is shown by muster schema --help.
func (schemaCommand) Help() string {
	return `Prints an XML schema (XSD 1.0). An editor that knows it completes and checks muster.xml as you type; by hand:

  muster schema > muster.xsd
  xmllint --noout --schema muster.xsd muster.xml`
}

// Run prints the schema.
func (c schemaCommand) Run(env Env) error {
	schema := config.Schema()
	if c.Of == "report" {
		schema = report.Schema()
	}
	_, err := env.Stdout.Write(schema)
	return err
}
