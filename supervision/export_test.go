package supervision

import "github.com/jackdaw-im/jackdaw/actors"

// StopSelf is what a supervisor is told when it shall end.
func StopSelf(reason actors.Reason) any { return stopSelf{reason: reason} }

// Fault is a message on which a partition of a dynamic supervisor crashes.
func Fault() any { return childCrash{} }

// SupervisorFault is a message on which a supervisor crashes.
func SupervisorFault() any { return childExited{} }
