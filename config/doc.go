// Package config is the server's configuration as one typed value: its defaults, where it is read from, and whether it makes
// sense.
//
// A value is taken from the first of these that has it: a flag of the command line, an environment variable JACKDAW_..., the
// YAML file, the default. Load does all that and then Validate, so that a Config from Load can be used as it is. An unknown key
// or variable is an error with its place, and never ignored: a typing mistake must not turn into a default.
//
//	cfg, err := config.Load(config.Sources{File: "jackdaw.yaml", Environ: os.Environ(), Flags: map[string]string{"domain": "example.org"}})
//
// The keys, their variables and their explanations all come from the struct tags of Config; docs/config.yaml is printed from them.
package config
