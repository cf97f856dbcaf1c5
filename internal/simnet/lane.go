package simnet

import "time"

// retransmit is how long a stream waits before it tries again what did not get through.
const retransmit = 200 * time.Millisecond

// parcel is something on its way.
type parcel struct {
	at time.Time
	// deliver hands it over, without the lock of the Net held; false: it did not get through and is tried again.
	deliver func() bool
}

// lane keeps parcels in order: none arrives before the one in front of it has. It belongs to the lock of the Net.
type lane struct {
	net    *Net
	queue  []parcel
	last   time.Time
	moving bool
}

// add puts a parcel at the end. The lock is held.
func (l *lane) add(delay time.Duration, deliver func() bool) {
	at := time.Now().Add(delay)
	if at.Before(l.last) {
		at = l.last
	}
	l.last = at
	l.queue = append(l.queue, parcel{at, deliver})
	if !l.moving {
		l.moving = true
		time.AfterFunc(time.Until(at), l.move)
	}
}

// move delivers what is due, one after the other, and comes back for the rest.
func (l *lane) move() {
	for {
		l.net.mu.Lock()
		if len(l.queue) == 0 {
			l.moving = false
			l.net.mu.Unlock()
			return
		}
		first := l.queue[0]
		wait := time.Until(first.at)
		l.net.mu.Unlock()
		if wait <= 0 && !first.deliver() {
			wait = retransmit
		}
		if wait > 0 {
			time.AfterFunc(wait, l.move)
			return
		}
		l.net.mu.Lock()
		l.queue = l.queue[1:]
		l.net.mu.Unlock()
	}
}
