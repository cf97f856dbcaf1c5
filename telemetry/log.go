package telemetry

import (
	"fmt"
	"os"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"golang.org/x/term"
)

// NewLogger returns a logger that writes to out what is at level (debug, info, warn, error) or above. format is console, json, or
// auto for console if out is a terminal and json if it isn't. Writing is not buffered: what was logged before a crash is there.
func NewLogger(level, format string, out *os.File) (*zap.Logger, error) {
	least, err := zapcore.ParseLevel(level)
	if err != nil {
		return nil, fmt.Errorf("telemetry: log level %q: %w", level, err)
	}
	encoder, err := newEncoder(format, term.IsTerminal(int(out.Fd())))
	if err != nil {
		return nil, err
	}
	return zap.New(zapcore.NewCore(encoder, zapcore.Lock(out), least)), nil
}

func newEncoder(format string, terminal bool) (zapcore.Encoder, error) {
	cfg := zap.NewProductionEncoderConfig()
	cfg.EncodeTime = zapcore.RFC3339NanoTimeEncoder
	cfg.EncodeDuration = zapcore.StringDurationEncoder
	cfg.TimeKey, cfg.MessageKey = "time", "msg"
	switch {
	case format == "json", format == "auto" && !terminal:
		return zapcore.NewJSONEncoder(cfg), nil
	case format == "console", format == "auto":
		cfg.EncodeTime = zapcore.TimeEncoderOfLayout("15:04:05.000")
		if terminal {
			cfg.EncodeLevel = zapcore.CapitalColorLevelEncoder
		} else {
			cfg.EncodeLevel = zapcore.CapitalLevelEncoder
		}
		return zapcore.NewConsoleEncoder(cfg), nil
	}
	return nil, fmt.Errorf("telemetry: log format %q is none of auto, console, json", format)
}
