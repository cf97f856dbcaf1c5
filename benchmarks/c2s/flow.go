package main

// flow is the window of one sender in a closed loop: it may have so many messages under way, and a message is under way until it is
// delivered, and where the loop is durable, until the server has acknowledged it as well.
type flow struct {
	window  int
	durable bool

	sent, acked, delivered int
}

// take returns how many messages may be sent now and counts them as sent.
func (f *flow) take() int {
	done := f.delivered
	if f.durable {
		done = min(done, f.acked)
	}
	n := max(0, f.window-(f.sent-done))
	f.sent += n
	return n
}
