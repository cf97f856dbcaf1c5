// Package telemetry names everything that a server tells of itself: the metrics, the keys of its log, and how both are written.
//
// Metrics are read when somebody asks for them. The packages that do the work count in atomic words of their own and know nothing of
// Prometheus; node gives telemetry a Sources of functions that return those counts as plain values, and a scrape calls each once. So
// a metric costs nothing while nobody looks, and can't be forgotten on any path.
//
// There is never a series for one actor, user or connection: what is told of single queues is told by rank. The number of series is
// bounded by the number of kinds.
package telemetry
