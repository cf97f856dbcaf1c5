package pebblestore

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"go.uber.org/zap"

	"github.com/jackdaw-im/jackdaw/telemetry"
)

// logger passes Pebble's words on. A Fatalf ends the process; it returns only if Options.Exit does, in tests.
type logger struct{ e *Engine }

// Infof implements pebble.Logger.
func (l logger) Infof(format string, args ...any) {
	if l.e.o.Logger.Core().Enabled(zap.DebugLevel) {
		l.e.o.Logger.Debug("pebble", zap.String(telemetry.KeyText, fmt.Sprintf(format, args...)))
	}
}

// Errorf implements pebble.Logger.
func (l logger) Errorf(format string, args ...any) {
	l.e.o.Logger.Warn("pebble", zap.String(telemetry.KeyText, fmt.Sprintf(format, args...)))
}

// Fatalf implements pebble.Logger.
func (l logger) Fatalf(format string, args ...any) { l.e.space.fail(fmt.Sprintf(format, args...)) }

// events are what Pebble tells; it calls them from its own goroutines, and they must not wait.
func (e *Engine) events() *pebble.EventListener {
	return &pebble.EventListener{
		BackgroundError: e.space.backgroundError,
		DataCorruption: func(i pebble.DataCorruptionInfo) {
			e.o.Logger.Error("stored data is damaged", zap.String(telemetry.KeyFile, i.Path), zap.Error(i.Details))
		},
		WriteStallBegin: func(i pebble.WriteStallBeginInfo) {
			e.space.stallBegan(e.o.Now())
			e.o.Logger.Warn("store makes writers wait", zap.String(telemetry.KeyReason, i.Reason))
		},
		WriteStallEnd: func() {
			e.space.stallEnded()
			e.o.Logger.Info("store writes go on")
		},
		DiskSlow: func(i pebble.DiskSlowInfo) {
			e.o.Logger.Warn("disk is slow", zap.String(telemetry.KeyFile, i.Path), zap.Duration(telemetry.KeyDuration, i.Duration))
		},
	}
}
