package market

import "fmt"

// Kind numbers the kinds of messages, for counting them.
type Kind int

// The kinds, in the order of their tags.
const (
	KindOrder Kind = iota
	KindAccepted
	KindRejected
	KindFill
	KindCancelled
	KindPrice
	NumKinds
)

// String returns the name of the kind's type.
func (k Kind) String() string {
	names := [NumKinds]string{"Order", "Accepted", "Rejected", "Fill", "Cancelled", "Price"}
	if k < 0 || k >= NumKinds {
		return fmt.Sprintf("Kind(%d)", int(k))
	}
	return names[k]
}

// KindOf returns the kind of m. It is false for nil.
func KindOf(m Message) (kind Kind, ok bool) {
	switch m.(type) {
	case Order:
		return KindOrder, true
	case Accepted:
		return KindAccepted, true
	case Rejected:
		return KindRejected, true
	case Fill:
		return KindFill, true
	case Cancelled:
		return KindCancelled, true
	case Price:
		return KindPrice, true
	}
	return 0, false
}
