package main

import (
	"fmt"
	"io"

	"github.com/fb9bb4ed/qsocket/examples/chat"
)

// screen shows what happens. Those who go to the next server are not shown again, and have some time to come.
type screen struct {
	out   io.Writer
	names map[string]bool // who has been shown, and whether they are at this server
}

func (s *screen) show(m chat.Message) {
	switch m := m.(type) {
	case chat.Here:
		for name := range s.names {
			s.names[name] = false
		}
		for _, name := range m.Names {
			s.join(name, "is here")
		}
	case chat.Joined:
		s.join(m.Name, "joined")
	case chat.Left:
		delete(s.names, m.Name)
		fmt.Fprintln(s.out, m.Name, "left")
	case chat.Said: // quoted: a stranger's text could move the cursor about
		fmt.Fprintf(s.out, "%s: %q\n", m.Name, m.Text)
	}
}

func (s *screen) join(name, how string) {
	if _, shown := s.names[name]; !shown {
		fmt.Fprintln(s.out, name, how)
	}
	s.names[name] = true
}

func (s *screen) settle() {
	for name, here := range s.names {
		if !here {
			s.show(chat.Left{Name: name})
		}
	}
}
