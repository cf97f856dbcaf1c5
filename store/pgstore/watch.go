package pgstore

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// The paces of a watch.
const (
	askLimit    = 3 * time.Second // for one answer
	surveyEvery = 5               // looks: how often the URL's other hosts are asked while all is well
)

// watch is what keeps an eye on one database. It has a connection of its own, so that it sees something when all others are busy.
type watch struct {
	d     *database
	shard *shard // nil for the directory
	c     *pgx.Conn
	at    *pgx.ConnConfig // by which c was made
	looks int
}

// look asks the database once.
func (w *watch) look(ctx context.Context) {
	err := w.ask(ctx)
	if err != nil {
		w.close()
		if ctx.Err() != nil {
			return
		}
		w.d.unreachable(err)
	} else if len(w.d.conf.at().Fallbacks) == 0 { // else a survey says when nobody is refused any more
		w.d.state.refused.note("")
	}
	if w.looks++; err != nil || w.d.state.naked.String() != "" || w.looks%surveyEvery == 0 {
		w.d.survey(ctx)
	}
	if w.c != nil && !w.d.known.current(linkOf(w.c.PgConn()).who) {
		w.close()
	}
}

func (w *watch) ask(ctx context.Context) error {
	if at := w.d.conf.at(); w.at != at { // the address is another one
		w.close()
		w.at = at
	}
	if w.c == nil {
		c, err := w.d.connect(ctx)
		if err != nil {
			return err
		}
		w.c = c
	}
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	s, err := ask(ctx, w.c.PgConn())
	if err != nil {
		return err
	}
	w.d.saw(s)
	if w.shard != nil {
		return w.shard.follow(ctx, w.c)
	}
	return nil
}

func (w *watch) close() {
	if w.c != nil {
		w.d.disconnect(w.c)
		w.c = nil
	}
}

// survey connects to each host of the URL by itself. A newer primary than the one in use is found this way, while the old one still
// answers: admit notes it and closes the connections to the old one. What the hosts that are not to be used answer is of no interest.
func (d *database) survey(ctx context.Context) {
	c := &d.conf.at().Config
	if len(c.Fallbacks) == 0 {
		return
	}
	before := d.state.refusals.Load()
	hosts := append([]*pgconn.FallbackConfig{{Host: c.Host, Port: c.Port, TLSConfig: c.TLSConfig}}, c.Fallbacks...)
	for _, h := range hosts {
		only := d.conf.now()
		only.Host, only.Port, only.TLSConfig, only.Fallbacks = h.Host, h.Port, h.TLSConfig, nil
		d.prepare(only)
		ctx, cancel := context.WithTimeout(ctx, askLimit)
		if conn, err := pgx.ConnectConfig(ctx, only); err == nil {
			_ = linkOf(conn.PgConn()).raw.Close()
			_ = conn.Close(ctx)
		}
		cancel()
	}
	if d.state.refusals.Load() == before {
		d.state.refused.note("")
	}
}
