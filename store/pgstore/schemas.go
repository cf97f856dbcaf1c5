package pgstore

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Schema says where the schema of one database stands.
type Schema struct {
	Database string // "shard 0", "directory"
	Place    string // host and name of the database
	Version  int    // 0 = an empty database
	Latest   int    // that this program knows
	Steps    []Step // that this program would take
}

// Step is one step from a version of a schema to the next.
type Step struct {
	Version  int
	What     string
	Contract bool // programs of the version before can't go on behind it
}

// Schemas says where the databases of a store stand, in the order shards, directory. It changes nothing. ErrNewer if a
// database is of a version that this program can't use.
func Schemas(ctx context.Context, list string, o Options) ([]Schema, error) {
	return schemas(ctx, list, o, func(ctx context.Context, c *pgx.Conn, s *schema) (standing, error) { return s.read(ctx, c) })
}

// Migrate takes the steps that the databases of a store lack, those that contract only if told so, and says where they
// stand then. Open does the same, without the steps that contract. Each step is one transaction; what was done stays if a
// later one fails, and repeating goes on.
func Migrate(ctx context.Context, list string, o Options, contract bool) ([]Schema, error) {
	return schemas(ctx, list, o, func(ctx context.Context, c *pgx.Conn, s *schema) (standing, error) {
		if _, err := s.migrate(ctx, c, contract); err != nil {
			return standing{}, err
		}
		return s.read(ctx, c)
	})
}

// schemas does something with the schema of each database, and describes it.
func schemas(ctx context.Context, list string, o Options, do func(context.Context, *pgx.Conn, *schema) (standing, error)) ([]Schema, error) {
	e, err := prepare(list, o)
	if err != nil {
		return nil, err
	}
	var out []Schema
	for _, d := range e.databases() {
		kind := mailDB
		if d == e.dir {
			kind = directoryDB
		}
		at, err := d.schema(ctx, schemaOf(kind), do)
		if err != nil {
			return out, err
		}
		out = append(out, at)
	}
	return out, nil
}

func (d *database) schema(ctx context.Context, s *schema, do func(context.Context, *pgx.Conn, *schema) (standing, error)) (Schema, error) {
	out := Schema{Database: d.name, Place: d.place, Latest: s.latest()}
	c, err := d.connect(ctx)
	if err != nil {
		return out, err
	}
	defer d.disconnect(c)
	at, err := do(ctx, c, s)
	if err != nil {
		return out, fmt.Errorf("%s (%s): %w", d.name, d.place, err)
	}
	out.Version = at.version
	for i := range s.steps {
		if m := &s.steps[i]; m.version > at.version {
			out.Steps = append(out.Steps, Step{m.version, m.what, m.contract})
		}
	}
	return out, nil
}
