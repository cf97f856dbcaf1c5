package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/jackdaw-im/jackdaw/cluster/trust"
	"github.com/jackdaw-im/jackdaw/config"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store/pebblestore"
	"github.com/jackdaw-im/jackdaw/store/pgstore"
)

// folder is the data folder of a node of a cluster, which no other process uses while it is held. The embedded store sees to that by itself.
type folder struct{ lock *os.File }

// holdFolder holds the data folder for a node of a cluster. Its error names the process that does.
func holdFolder(cfg *config.Config) (*folder, error) {
	dir := filepath.Dir(cfg.BundleFile())
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("node: making the folder of the cluster's keys: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("node: locking the data folder: %w", err)
	}
	if err := lockFile(file); err != nil {
		text, _ := os.ReadFile(file.Name())
		_ = file.Close()
		return nil, fmt.Errorf("node: another server uses the data folder %s (process %s): stop it, or choose another folder with --data", cfg.Data, strings.TrimSpace(string(text)))
	}
	if err = file.Truncate(0); err == nil {
		_, err = fmt.Fprintln(file, os.Getpid())
	}
	if err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("node: locking the data folder: %w", err)
	}
	return &folder{file}, nil
}

// release lets another process have the folder.
func (f *folder) release() {
	if f != nil {
		_ = f.lock.Close()
	}
}

// keepName sees to it that the folder of a node keeps its name: what the node was promised by the store is remembered by it. A node that is
// told no name has that of its folder, whatever the machine is called now.
func keepName(cfg *config.Config, name string) (string, error) {
	file := filepath.Join(filepath.Dir(cfg.BundleFile()), "name")
	text, err := os.ReadFile(file)
	switch kept := strings.TrimSpace(string(text)); {
	case errors.Is(err, fs.ErrNotExist):
		if err := os.WriteFile(file, []byte(name+"\n"), 0o600); err != nil {
			return "", fmt.Errorf("node: writing down the node's name: %w", err)
		}
		return name, nil
	case err != nil:
		return "", fmt.Errorf("node: reading the node's name: %w", err)
	case cfg.Cluster.Name == "":
		return kept, nil
	case kept != name:
		return "", fmt.Errorf("node: the data folder %s is that of the node %s, and this one is called %s: leave --node out, or begin with an empty folder", cfg.Data, kept, name)
	}
	return name, nil
}

// refuseEmbedded refuses to make a node of a cluster of a folder whose embedded store holds users: nobody would serve them any more.
func refuseEmbedded(ctx context.Context, cfg *config.Config, log *zap.Logger) error {
	dir := strings.TrimPrefix(cfg.StoreURL(), "pebble:")
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if _, err := os.Stat(cfg.MovedFile()); err == nil {
		return nil
	}
	engine, err := pebblestore.Open(cfg.StoreURL(), pebblestore.Options{Logger: log, Cache: int64(cfg.Store.Cache)})
	if err != nil {
		return err
	}
	some, err := engine.Directory().Accounts().List(ctx, "", 1)
	if err = errors.Join(err, engine.Close()); err != nil {
		return err
	}
	if len(some) > 0 {
		return fmt.Errorf("node: the data folder %s has an embedded store with users, who would not be served by a cluster: copy them into its databases with `jackdaw store move`, "+
			"or begin with another folder (--data)", cfg.Data)
	}
	return nil
}

// refuseMoved refuses to serve alone what has been copied into a cluster's store: the two would go separate ways.
func refuseMoved(cfg *config.Config) error {
	to, err := os.ReadFile(cfg.MovedFile())
	if err != nil {
		return nil
	}
	return fmt.Errorf("node: what was in %s has been moved to %s: start this node with --cluster and --store, or --join; to use what is still here again, delete %s",
		cfg.Data, strings.TrimSpace(string(to)), cfg.MovedFile())
}

// foundedDomain is the domain that a new cluster serves: that of the folder, if another one wasn't asked for.
func foundedDomain(cfg *config.Config) string {
	if cfg.Domain != config.DefaultDomain {
		return cfg.Domain
	}
	if text, err := os.ReadFile(cfg.DomainFile()); err == nil && strings.TrimSpace(string(text)) != "" {
		return strings.TrimSpace(string(text))
	}
	return cfg.Domain
}

// SetStores gives the bundle of a node that doesn't run other addresses of the cluster's databases, which are tried first. Other nodes hear of
// them from this one.
func SetStores(cfg *config.Config, stores []string, directory string) error {
	held, err := holdFolder(cfg)
	if err != nil {
		return err
	}
	defer held.release()
	text, err := os.ReadFile(filepath.Join(filepath.Dir(cfg.BundleFile()), "name"))
	if err != nil {
		return fmt.Errorf("node: reading the node's name: %w", err)
	}
	name := strings.TrimSpace(string(text))
	b, err := trust.Load(cfg.BundleFile())
	if err != nil {
		return err
	}
	var list []trust.DSN
	for _, s := range stores {
		list = append(list, trust.DSN(s))
	}
	if b, err = b.WithStores(list, trust.DSN(directory), name, time.Now()); err != nil {
		return err
	}
	own := *cfg
	own.Store.URL, own.Store.Directory = "", ""
	if err := tryShared(context.Background(), &own, b, name, zap.NewNop(), true); err != nil {
		return err
	}
	return trust.Save(cfg.BundleFile(), b)
}

// tryShared looks whether the databases of a bundle can be opened. That of a cluster which isn't founded yet is made in them.
func tryShared(ctx context.Context, cfg *config.Config, b *trust.Bundle, name string, log *zap.Logger, founded bool) error {
	engine, err := openShared(ctx, cfg, b, ident.NodeID(name+"@1"), log, func(o *pgstore.Options) { o.Trial, o.Founded = true, founded })
	if err != nil {
		return err
	}
	return engine.Close()
}
