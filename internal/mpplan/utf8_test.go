package mpplan_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/fb9bb4ed/qsocket/internal/mpplan"
)

// What is UTF-8 is what package utf8 says: for text of many languages, with each byte of it
// changed, and cut at both ends.
func TestValidUTF8(t *testing.T) {
	edges := []rune{0, 0x7f, 0x80, 0x7ff, 0x800, 0xfff, 0x1000, 0xcfff, 0xd000, 0xd7ff, 0xe000, 0xffff, 0x10000, 0x3ffff, 0x40000, 0x10ffff}
	var texts []string
	for _, a := range edges {
		for _, b := range edges {
			texts = append(texts, strings.Repeat(string(a)+string(b), 6), "ascii, "+strings.Repeat(string(a), 9)+string(b)+" and ascii behind")
		}
	}
	for _, b := range texts {
		checkUTF8(t, []byte(b))
	}
	r := rand.New(rand.NewPCG(1, 2))
	alphabets := []string{"abc ", "éüß ", "абвгд ", "あ漢、", "한글하", "ไทยเ", "Aé漢😀", "\x80\xbf\xc0\xc1\xc2\xe0\xed\xf0\xf4\xf5\xff"}
	for range 20000 {
		letters := alphabets[r.IntN(len(alphabets))] + alphabets[r.IntN(len(alphabets))]
		b := make([]byte, 0, 100)
		for range r.IntN(30) {
			rs := []rune(letters)
			b = utf8.AppendRune(b, rs[r.IntN(len(rs))])
		}
		checkUTF8(t, b)
		for range 8 {
			if len(b) > 0 {
				b[r.IntN(len(b))] = []byte("a\x80\x9f\xa0\xbf\xc0\xc1\xc2\xdf\xe0\xe1\xec\xed\xef\xf0\xf4\xf5\xff")[r.IntN(18)]
				checkUTF8(t, b)
			}
		}
	}
}

// The same for long text, whose kind changes.
func TestValidLongUTF8(t *testing.T) {
	alphabets := []string{"abc ", "абвгд ", "абвгд", "éab ", "あ漢", "Aé漢😀", "é’"}
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 3))
		var b []byte
		for range 1 + r.IntN(6) {
			letters := []rune(alphabets[r.IntN(len(alphabets))])
			for range r.IntN(1000) {
				b = utf8.AppendRune(b, letters[r.IntN(len(letters))])
			}
		}
		checkUTF8(t, b)
		for range 4 {
			if len(b) > 0 {
				at := r.IntN(len(b))
				was := b[at]
				b[at] = []byte("a\x80\x9f\xa0\xbf\xc0\xc1\xc2\xdf\xe0\xe1\xec\xed\xef\xf0\xf4\xf5\xff")[r.IntN(18)]
				checkUTF8(t, b)
				b[at] = was
			}
		}
	}
}

func checkUTF8(t *testing.T, b []byte) {
	t.Helper()
	for from := range min(len(b), 4) {
		for to := len(b); to > max(from, len(b)-4); to-- {
			if p := b[from:to]; mpplan.ValidUTF8(p) != utf8.Valid(p) {
				t.Fatalf("%x: got %v, want %v", p, mpplan.ValidUTF8(p), utf8.Valid(p))
			}
		}
	}
}

// FuzzValidUTF8 compares with package utf8.
func FuzzValidUTF8(f *testing.F) {
	for _, s := range []string{"", "plain ASCII, and more of it", "Crème brûlée à l’été", "吾輩は猫である。名前はまだ無い。", "한국어 하나", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf4\x90\x80\x80"} {
		f.Add([]byte(strings.Repeat(s, 3)))
		f.Add([]byte(strings.Repeat(s, 50)))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, want := mpplan.ValidUTF8(b), utf8.Valid(b); got != want {
			t.Errorf("%x: got %v, want %v", b, got, want)
		}
	})
}
