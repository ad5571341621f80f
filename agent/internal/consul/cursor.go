package consul

// cursor follows Consul's index for one query. It is a pure value: the zero
// cursor has seen nothing.
type cursor struct {
	// wait is the index to block on; 0 asks for a plain read next.
	wait uint64
	// newest is the highest index of any answer, streamed that of the last
	// blocking one, both since the index last went backwards.
	newest, streamed uint64
	// epoch counts how often the index went backwards.
	epoch int
	// sags: the index falls in ordinary life too, which is no new epoch. That of a
	// prefix does when Consul forgets the tombstone of a deleted key, after 15
	// minutes: it is then the newest of the keys that are left.
	sags bool
}

// fallen starts anew after the index went backwards.
func (c cursor) fallen() cursor {
	if c.sags {
		return cursor{epoch: c.epoch, sags: true}
	}
	return cursor{epoch: c.epoch + 1}
}

// plain takes the index of a read without index. Such a read comes from the
// leader and must not be older than anything seen.
func (c cursor) plain(index uint64) cursor {
	index = max(index, 1)
	if index < c.newest {
		c = c.fallen()
	}
	c.newest, c.wait = index, index
	return c
}

// blocked takes the index of a blocking read. take is false when the answer is
// older than what was asked for, or than the one before: its content may be stale
// and a plain read decides.
func (c cursor) blocked(index uint64) (next cursor, take bool) {
	index = max(index, 1)
	if index < c.streamed {
		return c.fallen(), false
	}
	c.streamed, c.newest = index, max(c.newest, index)
	if index < c.wait {
		c.wait = 0
		return c, false
	}
	c.wait = index
	return c, true
}

// afresh asks for a plain read next, after an error or a doubt: with an index
// higher than Consul's own a blocking read would hang until its wait ran out.
func (c cursor) afresh() cursor {
	c.wait = 0
	return c
}
