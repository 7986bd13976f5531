package jsonscan_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/fb9bb4ed/qsocket/internal/jsonscan"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

// FuzzScan compares Scan with encoding/json. What is valid there, Scan refuses for
// one of its own rules, always and only if b breaks it; what is not valid, it may
// accept, for grammar is not its part. Accepting allocates nothing, and an error is
// short. What Scan accepts and is cut off after cut bytes is refused as a truncation,
// by Scan or by Truncated.
func FuzzScan(f *testing.F) {
	for _, tt := range accepted {
		f.Add([]byte(tt.payload), uint(len(tt.payload)/2))
	}
	for _, tt := range notJSON {
		f.Add([]byte(tt.payload), uint(1))
	}
	f.Add([]byte(nested(jsonscan.MaxDepth+1)), uint(0))
	f.Fuzz(func(t *testing.T, b []byte, cut uint) {
		before := bytes.Clone(b)
		err := jsonscan.Scan(b)
		if !bytes.Equal(b, before) {
			t.Fatalf("Scan changed %q to %q", before, b)
		}
		if err != nil && len(err.Error()) > 120 {
			t.Errorf("error of %d bytes: %v", len(err.Error()), err)
		}
		has := jsonscan.HasReplacement(b)
		// No value goes on with a byte 00, so nothing that ends in one is the
		// beginning of a value.
		if jsonscan.Truncated(append(before, 0)) {
			t.Errorf("%q and a byte 00 is truncated", b)
		}
		if !json.Valid(b) {
			return
		}

		want := rules(b)
		if hasKeyTwice(b) {
			if err == nil || !strings.Contains(err.Error(), "is twice") && (want == "" || !strings.Contains(err.Error(), want)) {
				t.Errorf("%q has a key twice: got error %v", b, err)
			}
			return
		}
		if (err != nil) != (want != "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Fatalf("%q: got error %v, want %q", b, err, want)
		}
		if errors.Is(err, io.ErrUnexpectedEOF) || jsonscan.Truncated(b) {
			t.Errorf("valid %q is truncated, says %v", b, err)
		}
		if replacements(b) > 0 && !has && !bytes.Contains(bytes.ToLower(b), []byte(`\ufffd`)) {
			t.Errorf("%q has a U+FFFD", b)
		}
		if err == nil {
			if n := testing.AllocsPerRun(10, func() { _ = jsonscan.Scan(b) }); n != 0 && !testkit.RaceEnabled && !bytes.Contains(b, []byte(`\`)) && len(b) < 1000 {
				t.Errorf("%q: got %v allocations, want 0", b, n)
			}
			checkCut(t, b[:cut%uint(len(b))])
		}
	})
}

// rules returns what the error for the valid JSON b must say, which is nothing if
// b keeps the rules. Of two that it breaks inside, the first in b counts. It goes by
// what encoding/json makes of b.
func rules(b []byte) string {
	if len(bytes.TrimRight(b, " \t\r\n")) < len(b) {
		return "trailing white space"
	}
	if !utf8.Valid(b) {
		return "not UTF-8"
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	depth, arrived := 0, 0
	for {
		tok, err := dec.Token()
		if err != nil {
			return "" // the end of b, which is valid
		}
		switch tok := tok.(type) {
		case json.Delim:
			if tok == ']' || tok == '}' {
				depth--
			} else if depth++; depth > jsonscan.MaxDepth {
				return "deeper than 100 levels"
			}
		case string:
			// encoding/json puts U+FFFD in the place of a lone surrogate.
			n := strings.Count(tok, "\uFFFD")
			arrived += n
			if n > 0 && arrived > replacements(b[:dec.InputOffset()]) {
				return "lone surrogate"
			}
		}
	}
}

// hasKeyTwice reports whether an object in the valid JSON b has a key twice.
func hasKeyTwice(b []byte) (found bool) {
	dec := json.NewDecoder(bytes.NewReader(b))
	var value func() bool // false at the end of a container
	value = func() bool {
		tok, err := dec.Token()
		if err != nil || tok == json.Delim(']') || tok == json.Delim('}') {
			return false
		}
		switch tok {
		case json.Delim('['):
			for value() {
			}
		case json.Delim('{'):
			for seen := map[any]bool{}; ; {
				key, err := dec.Token()
				if err != nil || key == json.Delim('}') {
					break
				}
				found = found || seen[key]
				seen[key] = true
				value()
			}
		}
		return true
	}
	value()
	return found
}

// escape matches one escape in a string of JSON; its group is the digits of \u12ab.
var escape = regexp.MustCompile(`(?s)\\(?:u([0-9a-fA-F]{4})|.)`)

// replacements returns how many U+FFFD the valid JSON b holds, escaped or not.
func replacements(b []byte) int {
	n := bytes.Count(b, []byte("\uFFFD"))
	for _, m := range escape.FindAllSubmatch(b, -1) {
		if strings.EqualFold(string(m[1]), "fffd") {
			n++
		}
	}
	return n
}

// checkCut demands that b, the beginning of a payload that Scan accepts, is a
// payload of its own or refused as a truncation. Where the cut goes through a
// character or a pair of surrogates, or leaves white space at the end, Scan has
// its own reason to refuse it.
func checkCut(t *testing.T, b []byte) {
	err := jsonscan.Scan(b)
	switch {
	case err == nil && !json.Valid(b) && !jsonscan.Truncated(b):
		t.Errorf("cut to %q: neither valid nor truncated", b)
	case err == nil || errors.Is(err, io.ErrUnexpectedEOF):
	case !utf8.Valid(b) && strings.Contains(err.Error(), "not UTF-8"):
	case len(bytes.TrimRight(b, " \t\r\n")) < len(b) && strings.Contains(err.Error(), "trailing white space"):
	case halfPair.Match(b) && strings.Contains(err.Error(), "lone surrogate"):
	default:
		t.Errorf("cut to %q: got error %v, want io.ErrUnexpectedEOF", b, err)
	}
}

// halfPair matches what ends after the first half of a pair, or in its second.
var halfPair = regexp.MustCompile(`\\u[dD][89abAB][0-9a-fA-F]{2}(\\(u[0-9a-fA-F]{0,3})?)?$`)
