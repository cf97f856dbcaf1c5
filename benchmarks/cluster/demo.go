package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"text/template"

	"github.com/jackdaw-im/jackdaw/internal/testcluster"
)

// demoPrefix is what the addresses of the demo's nodes begin with.
const demoPrefix = "127.0.1."

// demo runs a cluster to try things with until ctx ends.
func demo(ctx context.Context, cfg settings, out io.Writer) int {
	data, err := os.MkdirTemp("", "jackdaw-cluster-")
	if err == nil {
		err = demoIn(ctx, cfg, data, out)
		err = errors.Join(err, os.RemoveAll(data))
	}
	if err != nil {
		fmt.Fprintln(out, err)
		return 1
	}
	return 0
}

func demoIn(ctx context.Context, cfg settings, data string, out io.Writer) error {
	fmt.Fprintf(out, "starting PostgreSQL and %d nodes ...\n", cfg.nodes)
	c, err := testcluster.Start(ctx, testcluster.Config{Nodes: cfg.nodes, Standbys: 1, Data: data, Binary: cfg.binary, Prefix: demoPrefix})
	if err != nil {
		return err
	}
	next := fmt.Sprint(demoPrefix, len(c.Nodes)+1)
	err = demoText.Execute(out, map[string]any{"Jackdaw": cfg.binary, "Nodes": c.Nodes, "One": c.Nodes[0], "Last": c.Nodes[len(c.Nodes)-1], "Next": next, "Number": len(c.Nodes) + 1,
		"Data": data, "Store": c.StoreURL()})
	if err == nil {
		<-ctx.Done()
		fmt.Fprintln(out, "\nending all of it")
	}
	return errors.Join(err, c.Close())
}

// demoText says what there is, and what to try.
var demoText = template.Must(template.New("demo").Parse(`
A cluster is there, over {{.Store}}

  node  clients         process  health, metrics{{range .Nodes}}
  {{.Name}}    {{.C2S}}  {{printf "%-7d" .PID}}  http://{{.Admin}}{{end}}

Look at it:         {{.Jackdaw}} cluster --data {{.One.Data}}
Add a user:         {{.Jackdaw}} user add juliet@localhost --data {{.One.Data}}
Connect:            log in as juliet@localhost on any node, and from a second device on another
Lose a node:        kill -9 {{.Last.PID}}
Empty a node:       {{.Jackdaw}} drain --data {{.One.Data}}
  and fill it:      {{.Jackdaw}} undrain --data {{.One.Data}}
Rotate all keys:    {{.Jackdaw}} cluster rotate --data {{.One.Data}}
Add a node:         JACKDAW_CLUSTER_CLIENT={{.Next}}:5222 {{.Jackdaw}} serve --node n{{.Number}} --data {{.Data}}/n{{.Number}} --cluster {{.Next}}:5300 \
                      --c2s {{.Next}}:5222 --c2s-tls {{.Next}}:5223 --admin {{.Next}}:5290 \
                      --join {{.One.Host}}:5300 --token "$({{.Jackdaw}} cluster token --data {{.One.Data}})"

Ctrl-C ends all of it and deletes the data. A node that you add is yours to end.
`))
