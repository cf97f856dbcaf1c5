package config

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
)

// Sources are where Load reads from.
type Sources struct {
	// File is the path of a YAML file; empty means the one that the environment names (FileEnv), or none.
	File string
	// Environ is the environment as os.Environ returns it.
	Environ []string
	// Flags are the values given on the command line, by key.
	Flags map[string]string
}

// Load makes a Config of the defaults and the sources, and validates it. Its error names every mistake with its place, one a line. A node
// of a cluster, which is there for others, has other defaults: it listens for clients everywhere.
func Load(s Sources) (*Config, error) {
	c := Default()
	if err := load(fields(c), s); err != nil {
		return nil, err
	}
	if c.Clustered() {
		c = Default()
		c.C2S, c.C2STLS = ClusterC2S, ClusterC2STLS
		if err := load(fields(c), s); err != nil {
			return nil, err
		}
	}
	if err := c.Validate(); err != nil {
		return nil, err
	}
	return c, nil
}

// load sets the fields from the sources, the weakest first.
func load(all []field, s Sources) error {
	env, errs := readEnv(all, s.Environ)
	if s.File == "" {
		s.File = env.file
	}
	if s.File != "" {
		text, err := os.ReadFile(s.File)
		if err != nil {
			return fmt.Errorf("config: the configuration file can't be read: %w", err)
		}
		errs = append(errs, readYAML(all, s.File, text)...)
	}
	for _, v := range env.values {
		if err := v.field.set(v.text); err != nil {
			errs = append(errs, fmt.Errorf("config: %s: %w", v.field.env(), err))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(s.Flags)) {
		f, err := find(all, key)
		if err == nil {
			err = f.set(s.Flags[key])
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("config: flag for %s: %w", key, err))
		}
	}
	return errors.Join(errs...)
}

// find returns the field of a key.
func find(all []field, key string) (field, error) {
	if i := slices.IndexFunc(all, func(f field) bool { return f.key == key }); i >= 0 {
		return all[i], nil
	}
	return field{}, errors.New("there is no such key")
}
