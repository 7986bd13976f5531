package operations

import (
	"sync"

	"github.com/fb9bb4ed/qsocket"
)

// tenants has a Group for each tenant, and lets none of them have more connections than most.
type tenants struct {
	most int

	mu     sync.Mutex
	groups map[string]*qsocket.Group[Message] // by the attribute that Admit has set
}

func newTenants(most int) *tenants {
	return &tenants{most: most, groups: make(map[string]*qsocket.Group[Message])}
}

// join makes conn a member of its tenant's Group, which it leaves when it ends. It reports false
// if the tenant has enough: close it with CodeFull then.
func (t *tenants) join(conn *qsocket.Conn[Message]) (group *qsocket.Group[Message], ok bool) {
	tenant := conn.PeerAttributes()["tenant"]
	t.mu.Lock()
	defer t.mu.Unlock()
	group = t.groups[tenant]
	if group == nil {
		group = qsocket.NewGroup(Protocol, qsocket.Drop)
		t.groups[tenant] = group
	}
	if group.Len() >= t.most {
		return nil, false
	}
	group.Add(conn)
	return group, true
}
