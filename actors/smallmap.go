package actors

// smallMap is a map of a few entries in little memory: most actors have one timer, two monitors and no call under way. Up to
// smallMax entries stand in a slice, more in a map. The zero value is empty.
type smallMap[K comparable, V any] struct {
	few  []pair[K, V]
	many map[K]V
}

type pair[K comparable, V any] struct {
	key K
	val V
}

const smallMax = 8

func (m *smallMap[K, V]) get(k K) (v V, ok bool) {
	if m.many != nil {
		v, ok = m.many[k]
		return v, ok
	}
	for i := range m.few {
		if m.few[i].key == k {
			return m.few[i].val, true
		}
	}
	return v, false
}

func (m *smallMap[K, V]) has(k K) bool {
	_, ok := m.get(k)
	return ok
}

// len is the number of entries.
func (m *smallMap[K, V]) len() int { return len(m.few) + len(m.many) }

// set adds an entry or replaces its value.
func (m *smallMap[K, V]) set(k K, v V) {
	m.remove(k)
	m.put(k, v)
}

// put adds an entry whose key is new.
func (m *smallMap[K, V]) put(k K, v V) {
	switch {
	case m.many != nil:
		m.many[k] = v
	case len(m.few) < smallMax:
		m.few = append(m.few, pair[K, V]{k, v})
	default:
		m.many = make(map[K]V, 2*smallMax)
		for _, p := range m.few {
			m.many[p.key] = p.val
		}
		m.many[k] = v
		m.few = nil
	}
}

// remove takes an entry away, and the memory with the last of many.
func (m *smallMap[K, V]) remove(k K) {
	if m.many != nil {
		if delete(m.many, k); len(m.many) == 0 {
			m.many = nil
		}
		return
	}
	for i := range m.few {
		if m.few[i].key == k {
			last := len(m.few) - 1
			m.few[i] = m.few[last]
			m.few[last] = pair[K, V]{}
			m.few = m.few[:last]
			return
		}
	}
}

// shrink gives back the room of entries that are gone.
func (m *smallMap[K, V]) shrink() {
	if m.many == nil && cap(m.few) > len(m.few) {
		m.few = append([]pair[K, V](nil), m.few...)
	}
}

// keys returns all keys, in no order.
func (m *smallMap[K, V]) keys() []K {
	var all []K
	for _, p := range m.few {
		all = append(all, p.key)
	}
	for k := range m.many {
		all = append(all, k)
	}
	return all
}

// values returns all values, in no order.
func (m *smallMap[K, V]) values() []V {
	var all []V
	for _, p := range m.few {
		all = append(all, p.val)
	}
	for _, v := range m.many {
		all = append(all, v)
	}
	return all
}
