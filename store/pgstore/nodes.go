package pgstore

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/jackdaw-im/jackdaw/ident"
)

// Nodes returns which nodes are connected to the databases of a store now, sorted, as far as the URLs' users may see that. It opens,
// sets up and changes nothing. An empty directory is the first of the list.
func Nodes(ctx context.Context, list, directory string) ([]ident.NodeID, error) {
	urls := Split(list)
	if directory != "" {
		urls = append(urls, directory)
	}
	var nodes []ident.NodeID
	for _, url := range urls {
		conf, err := parse(url)
		if err != nil {
			return nil, err
		}
		c, err := pgx.ConnectConfig(ctx, conf.ConnConfig)
		if err != nil {
			return nil, fmt.Errorf("pgstore: %s: %w", place(conf), err) // pgx takes the password out
		}
		rows, err := c.Query(ctx, `SELECT DISTINCT substr(application_name, 9) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'jackdaw %@%'`)
		if err == nil {
			var found []ident.NodeID
			found, err = pgx.CollectRows(rows, pgx.RowTo[ident.NodeID])
			nodes = append(nodes, found...)
		}
		_ = c.Close(ctx) // what was read is read
		if err != nil {
			return nil, fmt.Errorf("pgstore: %s: %w", place(conf), err)
		}
	}
	slices.Sort(nodes)
	return slices.Compact(nodes), nil
}
