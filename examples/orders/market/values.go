package market

import (
	"fmt"
	"strconv"
	"strings"
)

// Side is what an order wants to do. The zero Side is none, so that a message
// without the field is no order to buy.
type Side uint8

// The sides.
const (
	Buy Side = iota + 1
	Sell
)

func (s Side) String() string {
	switch s {
	case Buy:
		return "buy"
	case Sell:
		return "sell"
	}
	return fmt.Sprintf("Side(%d)", uint8(s))
}

// ParseSide reads what String writes.
func ParseSide(s string) (Side, error) {
	switch s {
	case "buy":
		return Buy, nil
	case "sell":
		return Sell, nil
	}
	return 0, fmt.Errorf("side %q, want buy or sell", s)
}

// Cents is a price in hundredths of the currency: an integer, because equal
// prices must be equal.
type Cents int64

func (c Cents) String() string {
	sign := ""
	if c < 0 {
		sign, c = "-", -c
	}
	return fmt.Sprintf("%s%d.%02d", sign, int64(c/100), int64(c%100))
}

// ParseCents reads a price with at most two decimals, such as 101.5.
func ParseCents(s string) (Cents, error) {
	whole, fraction, _ := strings.Cut(s, ".")
	if len(fraction) > 2 {
		return 0, fmt.Errorf("price %q, want at most two decimals", s)
	}
	digits := strings.TrimPrefix(whole, "-") + (fraction + "00")[:2]
	n, err := strconv.ParseUint(digits, 10, 48)
	if err != nil || strings.TrimPrefix(whole, "-") == "" {
		return 0, fmt.Errorf("price %q, want a number such as 101.50", s)
	}
	if strings.HasPrefix(whole, "-") {
		return -Cents(n), nil
	}
	return Cents(n), nil
}
