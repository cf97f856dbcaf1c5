package pgstore

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
)

// memory is the file in which an engine remembers, by database, the newest server it has seen and what was acknowledged. It is written
// once a second and at the end, without a flush: it is for a process that ends, not for a machine that loses power.
type memory struct {
	path string
	last map[string]remembered
}

// remembered is what is remembered of one database.
type remembered struct {
	Place    string        `json:"place"` // for people
	Server   identity      `json:"server"`
	Promised map[int]int64 `json:"promised"`
}

// load reads the file, if there is one, into the databases.
func (m *memory) load(all []*database) error {
	if m.path == "" {
		return nil
	}
	text, err := os.ReadFile(m.path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	var file map[string]remembered
	if err == nil {
		err = json.Unmarshal(text, &file)
	}
	if err != nil {
		return fmt.Errorf("pgstore: the memory file %s: %w; without it a server that has lost something can't be told: delete it if you know that none has", m.path, err)
	}
	for _, d := range all {
		r, ok := file[d.name]
		if !ok {
			continue
		}
		d.known.raise(r.Server)
		d.slots.remember(r.Promised, nil)
	}
	m.last = file
	return nil
}

// save writes the file if there is something new to remember.
func (m *memory) save(all []*database) error {
	if m.path == "" {
		return nil
	}
	file := map[string]remembered{}
	for _, d := range all {
		if d != nil && d.known.newest() != (identity{}) {
			file[d.name] = remembered{d.place, d.known.newest(), d.slots.promised()}
		}
	}
	if len(file) == 0 || reflect.DeepEqual(file, m.last) {
		return nil
	}
	text, err := json.Marshal(file)
	if err != nil {
		return fmt.Errorf("pgstore: memory: %w", err)
	}
	half := filepath.Join(filepath.Dir(m.path), "."+filepath.Base(m.path)+".new")
	if err := os.WriteFile(half, text, 0o600); err != nil {
		return fmt.Errorf("pgstore: %w", err)
	}
	if err := os.Rename(half, m.path); err != nil {
		return fmt.Errorf("pgstore: %w", err)
	}
	m.last = file
	return nil
}
