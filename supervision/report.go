package supervision

import (
	"go.uber.org/zap"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/telemetry"
)

func refField(r actors.Ref) zap.Field { return zap.Stringer(telemetry.KeyActor, r) }

// words of the log.
const (
	sayCrashed    = "a child crashed"
	sayEnded      = "a permanent child has ended and is started again"
	sayStartError = "a child can't be started"
	sayLeft       = "a child did not stop in time and is left behind"
	sayLeftMany   = "children did not stop in time and are left behind"
	sayShutdown   = "a child crashed while it stopped"
	sayTooMany    = "too many restarts; the supervisor ends"
)

// lastField is the kind of the last message of an actor that has crashed, where it is known: never what it holds.
func lastField(sys *actors.System, ref actors.Ref) zap.Field {
	if f, err := sys.Facts(ref); err == nil && f.Last != "" {
		return zap.String(telemetry.KeyMessage, f.Last)
	}
	return zap.Skip()
}

// logs reports whether anybody reads errors: gathering the words takes as long as the restart.
func logs(log *zap.Logger) bool { return log.Core().Enabled(zap.ErrorLevel) }

// write writes a report to the log.
func (s *supervisor) write(ctx *actors.Context, r report) {
	log := ctx.Log()
	if !logs(log) {
		return
	}
	fields := []zap.Field{
		zap.String(telemetry.KeySupervisor, s.st.spec.ID), zap.String(telemetry.KeyChild, r.k.spec.ID), refField(s.st.refOf(r.k)),
	}
	switch r.what {
	case childCrashed, startError:
		fields = append(fields, zap.Stringer(telemetry.KeyReason, r.reason), zap.Int(telemetry.KeyRestarts, r.restarts), zap.Bool(telemetry.KeyRestart, r.again),
			lastField(ctx.System(), s.st.refOf(r.k)))
		if r.delay > 0 {
			fields = append(fields, zap.Duration(telemetry.KeyPause, r.delay))
		}
		switch {
		case r.what == startError:
			log.Error(sayStartError, fields...)
		case r.reason.IsNormal():
			log.Warn(sayEnded, fields...)
		default:
			log.Error(sayCrashed, fields...)
		}
	case leftBehind:
		log.Error(sayLeft, fields...)
	case shutdownError:
		log.Error(sayShutdown, append(fields, zap.Stringer(telemetry.KeyReason, r.reason))...)
	case tooMany:
		log.Error(sayTooMany, append(fields, zap.Int(telemetry.KeyIntensity, max(s.st.spec.Intensity, 0)), zap.Duration(telemetry.KeyPeriod, s.st.spec.Period))...)
	}
}
