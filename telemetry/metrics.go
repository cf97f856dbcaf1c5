package telemetry

import (
	"runtime"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metricKind is what Prometheus calls the type of a metric.
type metricKind string

const (
	counter   metricKind = "counter"
	gauge     metricKind = "gauge"
	histogram metricKind = "histogram"
)

// metric is one name with what is behind it. read is called with a function that takes a value for each set of labels; distribute
// is its counterpart for histograms.
type metric struct {
	name, help string
	kind       metricKind
	labels     []string
	read       func(s *scrape, give func(v float64, labels ...string))
	distribute func(s *scrape, give func(m Measurement, labels ...string))
}

// scrape is what one look at all sources found.
type scrape struct {
	connections *Connections
	sessions    *Sessions
	mailboxes   *Mailboxes
	actors      *Actors
	lanes       *Lanes
	store       *Store
	cluster     *Cluster
	dumps       map[string]int64
	sources     *Sources
	now         time.Time
}

// look asks every source once.
func look(s *Sources, now time.Time) *scrape {
	look := &scrape{
		connections: ask(s.Connections), sessions: ask(s.Sessions), mailboxes: ask(s.Mailboxes), actors: ask(s.Actors), lanes: ask(s.Lanes), store: ask(s.Store),
		cluster: ask(s.Cluster),
		sources: s, now: now,
	}
	if s.Dumps != nil {
		look.dumps = s.Dumps()
	}
	return look
}

func ask[T any](f func() T) *T {
	if f == nil {
		return nil
	}
	v := f()
	return &v
}

// ofConnections makes the metric's value from what the gateway counts; the ones below do so for sessions, mailboxes, actors and lanes.
func ofConnections(f func(*Connections) int64) func(*scrape, func(float64, ...string)) {
	return func(s *scrape, give func(float64, ...string)) {
		if s.connections != nil {
			give(float64(f(s.connections)))
		}
	}
}

func ofSessions(f func(*Sessions) int64) func(*scrape, func(float64, ...string)) {
	return func(s *scrape, give func(float64, ...string)) {
		if s.sessions != nil {
			give(float64(f(s.sessions)))
		}
	}
}

func ofMailboxes(f func(*Mailboxes) int64) func(*scrape, func(float64, ...string)) {
	return func(s *scrape, give func(float64, ...string)) {
		if s.mailboxes != nil {
			give(float64(f(s.mailboxes)))
		}
	}
}

func ofActors(f func(*Actors) int64) func(*scrape, func(float64, ...string)) {
	return func(s *scrape, give func(float64, ...string)) {
		if s.actors != nil {
			give(float64(f(s.actors)))
		}
	}
}

func ofLanes(f func(*Lanes) int64) func(*scrape, func(float64, ...string)) {
	return func(s *scrape, give func(float64, ...string)) {
		if s.lanes != nil {
			give(float64(f(s.lanes)))
		}
	}
}

// byKind makes one value for each kind of actor.
func byKind(f func(*Actors) map[string]int64) func(*scrape, func(float64, ...string)) {
	return func(s *scrape, give func(float64, ...string)) {
		if s.actors == nil {
			return
		}
		for kind, n := range f(s.actors) {
			give(float64(n), kind)
		}
	}
}

// topRanks is how many of the longest queues are told.
const topRanks = 10

// giveTop gives the longest queues by rank.
func giveTop(s *scrape, give func(float64, ...string)) {
	if s.actors == nil {
		return
	}
	for i, q := range s.actors.Top[:min(len(s.actors.Top), topRanks)] {
		give(float64(q.Len), strconv.Itoa(i+1), q.Kind)
	}
}

// giveMarks makes a histogram of the lengths that queues have grown to.
func giveMarks(s *scrape, give func(Measurement, ...string)) {
	if s.actors == nil {
		return
	}
	var m Measurement
	for length, n := range s.actors.Marks {
		m.Bounds = append(m.Bounds, float64(length))
		m.Sum += float64(length) * float64(n)
	}
	slices.Sort(m.Bounds)
	for _, b := range m.Bounds {
		m.Counts = append(m.Counts, uint64(s.actors.Marks[int(b)]))
	}
	give(m)
}

func giveState(s *scrape, give func(float64, ...string)) {
	if s.store == nil {
		return
	}
	for _, state := range StoreStates {
		v := 0.0
		if s.store.State == state {
			v = 1
		}
		give(v, state)
	}
}

func giveFree(s *scrape, give func(float64, ...string)) {
	if s.store != nil && s.store.Free > 0 {
		give(float64(s.store.Free))
	}
}

func giveDumps(s *scrape, give func(float64, ...string)) {
	for reason, n := range s.dumps {
		give(float64(n), reason)
	}
}

func giveUptime(s *scrape, give func(float64, ...string)) {
	if !s.sources.Started.IsZero() {
		give(s.now.Sub(s.sources.Started).Seconds())
	}
}

func giveBuild(s *scrape, give func(float64, ...string)) {
	give(1, s.sources.Version, s.sources.Revision, runtime.Version())
}

// collector is the metrics as Prometheus' client wants them.
type collector struct {
	sources Sources
	metrics []metric
	descs   []*prometheus.Desc
	now     func() time.Time
}

func newCollector(s Sources, now func() time.Time) *collector {
	c := &collector{sources: s, metrics: catalogue(), now: now}
	for _, m := range c.metrics {
		c.descs = append(c.descs, prometheus.NewDesc(m.name, m.help, m.labels, nil))
	}
	return c
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range c.descs {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(to chan<- prometheus.Metric) {
	s := look(&c.sources, c.now())
	for i, m := range c.metrics {
		desc := c.descs[i]
		if m.kind == histogram {
			m.distribute(s, func(v Measurement, labels ...string) {
				buckets, count := v.cumulative()
				to <- prometheus.MustNewConstHistogram(desc, count, v.Sum, buckets, labels...)
			})
			continue
		}
		kind := prometheus.CounterValue
		if m.kind == gauge {
			kind = prometheus.GaugeValue
		}
		m.read(s, func(v float64, labels ...string) { to <- prometheus.MustNewConstMetric(desc, kind, v, labels...) })
	}
}
