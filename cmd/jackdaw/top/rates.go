package top

import (
	"time"

	"github.com/jackdaw-im/jackdaw/proto/adminpb"
)

// Rates fills the rates and shares of a measurement, but for those of actors, from an earlier one of the same server. Without one, or if
// no time has passed, they are 0.
func Rates(now, before *adminpb.Top) {
	took := float64(now.GetTime()-before.GetTime()) / float64(time.Second/time.Microsecond)
	if before == nil || took <= 0 {
		return
	}
	rate := func(now, before int64) float64 { return float64(max(now-before, 0)) / took }
	kinds := map[string]int64{}
	for _, k := range before.GetKinds() {
		kinds[k.GetKind()] = k.GetHandled()
	}
	for _, k := range now.GetKinds() {
		k.MessagesPerSecond = rate(k.GetHandled(), kinds[k.GetKind()])
		now.MessagesPerSecond += k.MessagesPerSecond
	}
	now.GcPerSecond = rate(now.GetGcCycles(), before.GetGcCycles())
	cpu := rate(now.GetCpuUs(), before.GetCpuUs())
	if cpu > 0 {
		now.GcCpuShare = min(rate(now.GetGcCpuUs(), before.GetGcCpuUs())/cpu, 1)
	}
	now.CpuShare = cpu / 1e6 / float64(max(now.GetCores(), 1))
}
