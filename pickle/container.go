package pickle

// slotSize is what a place in the memo may cost, with what slices need to grow.
const slotSize = 16

// mark begins the values of a container, or the arguments of a function.
func (m *machine) mark() bool {
	if len(m.marks) > maxDepth {
		return m.tooDeep()
	}
	m.marks = append(m.marks, m.top)
	return true
}

// unmark ends what began with the last MARK.
func (m *machine) unmark() (first, last, count int32, depth uint8, ok bool) {
	if len(m.marks) == 0 {
		return 0, 0, 0, 0, m.fail("%s finds no MARK on the stack", m.name())
	}
	first, last, count, depth, ok = m.take(-1)
	m.marks = m.marks[:len(m.marks)-1]
	return first, last, count, depth, ok
}

// marked makes a container of all values since the last MARK.
func (m *machine) marked(k kind) bool {
	first, last, count, depth, ok := m.unmark()
	return ok && m.contain(k, first, last, count, depth)
}

// tuple makes one of n values.
func (m *machine) tuple(n int32) bool {
	first, last, count, depth, ok := m.take(n)
	return ok && m.contain(kindTuple, first, last, count, depth)
}

// empty makes an empty container.
func (m *machine) empty(k kind) bool { return m.contain(k, 0, 0, 0, 1) }

func (m *machine) contain(k kind, first, last, count int32, depth uint8) bool {
	if !m.push(k, 0, count) {
		return false
	}
	c := m.at(m.top)
	c.setEnds(first, last)
	c.depth = depth
	return true
}

// addMarked adds all values since the last MARK to the container below it. Each of its items
// consists of each values.
func (m *machine) addMarked(k kind, each int32) bool {
	first, last, count, depth, ok := m.unmark()
	return ok && m.extend(k, each, first, last, count, depth)
}

// add adds the n topmost values to the container below them.
func (m *machine) add(k kind, each, n int32) bool {
	first, last, count, depth, ok := m.take(n)
	return ok && m.extend(k, each, first, last, count, depth)
}

func (m *machine) extend(k kind, each, first, last, count int32, depth uint8) bool {
	if m.top == m.floor() {
		return m.underflow()
	}
	_, c := m.follow(m.top)
	switch {
	case c.kind != k:
		return m.fail("%s for %v, want %v", m.name(), c.kind, k)
	case c.fixed:
		return m.fail("%s changes %v that is part of another value, as only values that contain themselves do: refused", m.name(), c.kind)
	case count%each != 0:
		return m.fail("%s with %d values, want an even number", m.name(), count)
	case count == 0:
		return true
	}
	head, tail := c.ends()
	if head == 0 {
		head = first
	} else {
		m.at(tail).next = first
	}
	c.setEnds(head, last)
	c.n += count / each
	c.depth = max(c.depth, depth)
	return true
}

// memoize is PUT with the next number.
func (m *machine) memoize() bool { return m.store(uint64(m.memoized)) }

func (m *machine) put(size int) bool {
	v, ok := m.number(size)
	return ok && m.store(v)
}

// store puts the topmost value in place i of the memo. Python numbers them one by one, so a
// number is below the length of the payload.
func (m *machine) store(i uint64) bool {
	if m.top == m.floor() {
		return m.underflow()
	}
	if i >= uint64(len(m.b)) {
		return m.fail("%s to place %d of the memo, want less than %d, the length of the payload", m.name(), i, len(m.b))
	}
	if n := int(i) + 1 - len(m.memo); n > 0 {
		if !m.spend(n * slotSize) {
			return false
		}
		for range n {
			m.memo = append(m.memo, 0)
		}
	}
	if m.memo[i] == 0 {
		if m.memoized++; m.memoized >= int(m.count) {
			return m.fail("%s of more values than there are", m.name())
		}
	}
	m.memo[i], _ = m.follow(m.top)
	return true
}

func (m *machine) get(size int) bool {
	i, ok := m.number(size)
	if !ok {
		return false
	}
	if i >= uint64(len(m.memo)) || m.memo[i] == 0 {
		return m.fail("%s of place %d of the memo, in which there is nothing", m.name(), i)
	}
	target := m.at(m.memo[i])
	target.fixed, target.again = true, true
	if !m.push(kindRef, uint64(m.memo[i]), 0) {
		return false
	}
	m.at(m.top).depth = target.depth
	return true
}
