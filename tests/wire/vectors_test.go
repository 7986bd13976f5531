package wire

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"
)

var updateVectors = flag.Bool("update", false, "write docs/wire-vectors.json anew")

const vectorsFile = "../../docs/wire-vectors.json"

// vectors is docs/wire-vectors.json. The section "Vectors" of docs/wire.md explains its fields.
type vectors struct {
	About         string               `json:"about"`
	Hellos        []helloVector        `json:"hellos"`
	Descriptions  []descriptionVector  `json:"descriptions"`
	Exchanges     []helloVector        `json:"exchanges"`
	Comparisons   []comparisonVector   `json:"comparisons"`
	Controls      []controlVector      `json:"controls"`
	Violations    []violationVector    `json:"violations"`
	Ends          []endVector          `json:"ends"`
	Conversations []conversationVector `json:"conversations"`
	Message       string               `json:"message"`
	Payloads      []payloadVector      `json:"payloads"`
	Unions        []unionVector        `json:"unions"`
}

// What docs/wire-vectors.json says is what the library does. The flag -update writes it.
func TestWireVectors(t *testing.T) {
	v := vectors{
		About:         "What docs/wire.md says, as cases for tests. Written by the library: go test -run Vectors ./tests/wire -update",
		Hellos:        helloVectors(t),
		Descriptions:  descriptionVectors(),
		Exchanges:     exchangeVectors(t),
		Comparisons:   comparisonVectors(t),
		Controls:      controlVectors(t),
		Violations:    violationVectors(t),
		Ends:          endVectors(t),
		Conversations: conversationVectors(t),
		Message:       sampleSchema(),
		Payloads:      payloadVectors(t),
		Unions:        unionVectors(t),
	}
	if t.Failed() {
		return
	}
	var b bytes.Buffer
	lines := json.NewEncoder(&b)
	lines.SetEscapeHTML(false)
	lines.SetIndent("", " ")
	if err := lines.Encode(v); err != nil {
		t.Fatal(err)
	}
	if *updateVectors {
		if err := os.WriteFile(vectorsFile, b.Bytes(), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	old, err := os.ReadFile(vectorsFile)
	if err != nil {
		t.Fatal(err)
	}
	if is, want := strings.ReplaceAll(string(old), "\r\n", "\n"), b.String(); is != want {
		a, b := strings.Split(is, "\n"), strings.Split(want, "\n")
		i := 0
		for i < len(a) && i < len(b) && a[i] == b[i] {
			i++
		}
		t.Errorf("docs/wire-vectors.json is stale from line %d on: go test -run Vectors ./tests/wire -update writes it", i+1)
	}
}

// Each section of the file is explained in docs/wire.md.
func TestWireVectorsDocument(t *testing.T) {
	page, _ := wireDocument(t)
	_, section, found := strings.Cut(page, "\n## Vectors\n")
	if !found {
		t.Fatal("docs/wire.md has no section on the vectors")
	}
	b, err := os.ReadFile(vectorsFile)
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]any
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	for name, list := range all {
		if !strings.Contains(section, "`"+name+"`") && name != "about" {
			t.Errorf("the section does not say what %s is", name)
		}
		cases, _ := list.([]any)
		for _, c := range cases {
			for key := range c.(map[string]any) {
				if !strings.Contains(section, "`"+key+"`") {
					t.Errorf("the section does not say what %s of %s is", key, name)
				}
			}
		}
	}
}
