package excerpt

import (
	"encoding/json"
	"strconv"
	"time"
	"unicode/utf8"
)

// shorter returns err, or a copy that quotes less. Errors of the standard library that
// decoders meet hold what they could not parse, and make their text of all of it whenever
// they are asked: 8 MB of a payload of 1 MiB. What is not one of them is returned as it is.
func shorter(err error) error {
	switch e := err.(type) {
	case *time.ParseError:
		if e != nil && len(e.Value) > MaxName {
			short := *e
			short.Value, short.ValueElem = head(e.Value), head(e.ValueElem)
			return &short
		}
	case *strconv.NumError:
		if e != nil && len(e.Num) > MaxName {
			return &strconv.NumError{Func: e.Func, Num: head(e.Num), Err: e.Err}
		}
	case *json.UnmarshalTypeError:
		if e != nil && len(e.Value) > MaxName {
			short := *e
			short.Value = head(e.Value)
			return &short
		}
	}
	return err
}

// head returns the beginning of a long s and its length, in ASCII, which the standard
// library does not escape when it quotes.
func head(s string) string {
	n := MaxName / 4
	if len(s) <= n {
		return s
	}
	for !utf8.RuneStart(s[n]) && n > 0 {
		n--
	}
	return s[:n] + "... (" + Count(len(s)) + " bytes)"
}
