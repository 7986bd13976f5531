package schema

import (
	"crypto/sha256"
	"encoding/hex"
	"sync"
)

// Sum identifies a text.
type Sum [sha256.Size]byte

// SumOf returns the SHA-256 of text.
func SumOf(text string) Sum { return sha256.Sum256([]byte(text)) }

// Fingerprint returns what [Fingerprint] does for the text.
func (s Sum) Fingerprint() string { return hex.EncodeToString(s[:16]) }

// Observer is the description that an end tells which has no messages and wants to know those of the other: nothing is
// compared with it.
const Observer = "observer\nmessage any\n"

// Own is a description of this program's own messages, with what every handshake needs
// of it.
type Own struct {
	Text        string
	Fingerprint string
	Sum         Sum

	parse func() (*Schema, error)
}

// Schema returns the parsed text. It is parsed once, when a peer has another one.
func (o *Own) Schema() (*Schema, error) { return o.parse() }

// A program has few descriptions, and keeps them all. Should one make new ones without
// end, the cache begins anew.
const (
	maxOwn     = 64
	maxOwnSize = 1 << 20 // of texts, bytes
)

var owns struct {
	sync.Mutex
	byText map[string]*Own
	size   int
}

// OwnText returns the Own of text. It keeps the last ones.
func OwnText(text string) *Own {
	owns.Lock()
	defer owns.Unlock()
	if o := owns.byText[text]; o != nil {
		return o
	}
	o := &Own{
		Text:        text,
		Fingerprint: Fingerprint(text),
		Sum:         SumOf(text),
		parse:       sync.OnceValues(func() (*Schema, error) { return Parse(text) }),
	}
	if len(owns.byText) >= maxOwn || owns.size+len(text) > maxOwnSize || owns.byText == nil {
		owns.byText, owns.size = make(map[string]*Own), 0
	}
	owns.byText[text] = o
	owns.size += len(text)
	return o
}
