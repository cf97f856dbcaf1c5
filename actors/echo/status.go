package echo

// FormatStatus implements actors.StatusFormatter, which is format_status/1: what an operator may see of the state. It holds
// numbers, never what users wrote or who they are. Without it, only types and sizes are shown.
func (e *echo) FormatStatus() any { return e.mail.Status() }
