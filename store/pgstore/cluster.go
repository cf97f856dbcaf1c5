package pgstore

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// refuseForeign refuses databases that belong to another cluster than the one that opens them. Nobody would find that out later: both
// would serve the same users, each without the other's knowledge.
func (e *Engine) refuseForeign(dir belonging, shards []belonging) error {
	if err := e.refuseOf(e.dir, dir); err != nil {
		return err
	}
	for i, b := range shards {
		if err := e.refuseOf(e.shards[i].database, b); err != nil {
			return err
		}
	}
	return nil
}

func (e *Engine) refuseOf(d *database, b belonging) error {
	if e.ours(b) {
		return nil
	}
	return fmt.Errorf("pgstore: %s (%s) belongs to the cluster %s, and whoever opens it here is of the cluster %s: name the databases of the latter; or become a node of the former, "+
		"in an empty data folder with --join and a token of one of its nodes. If no node of it is left, or these are copies of its databases, `jackdaw store release` makes them nobody's first",
		d.name, d.place, b.cluster, e.o.Cluster)
}

// ours reports whether a database is the cluster's or nobody's. A tool that doesn't say for which cluster it works may open all.
func (e *Engine) ours(b belonging) bool {
	return e.o.Cluster == "" || b.cluster == "" || b.cluster == e.o.Cluster
}

// claimFor makes a database the cluster's, if it was nobody's. The lock of agree is held.
func (e *Engine) claimFor(ctx context.Context, c *pgx.Conn, before belonging, kind dbKind) error {
	if e.o.Cluster == "" || e.o.Tool || e.o.Trial || before.cluster != "" {
		return nil
	}
	_, err := c.Exec(ctx, `UPDATE jackdaw_schema SET cluster = $1 WHERE kind = $2 AND cluster = ''`, e.o.Cluster, string(kind))
	return err
}

// Release makes the databases of the store nobody's, so that the cluster whose node opens them next has them, and returns the id of the
// one that had them, empty if none did. It may be repeated. No node may be at work on them; see Nodes.
func (e *Engine) Release(ctx context.Context) (had string, err error) {
	if err := e.enter(); err != nil {
		return "", err
	}
	defer e.leave()
	c, err := e.dir.connect(ctx)
	if err != nil {
		return "", err
	}
	defer e.dir.disconnect(c)
	dir, err := belongs(ctx, c, directoryDB)
	if err != nil {
		return "", e.dir.fail(err)
	}
	// The directory is the last, so that an interrupted release leaves its id to be told.
	for _, s := range e.shards {
		if _, err := s.pool.Exec(ctx, disownSQL, string(mailDB)); err != nil {
			return "", s.fail(err)
		}
	}
	if _, err := c.Exec(ctx, disownSQL, string(directoryDB)); err != nil {
		return "", e.dir.fail(err)
	}
	return dir.cluster, nil
}

const disownSQL = `UPDATE jackdaw_schema SET cluster = '' WHERE kind = $1`
