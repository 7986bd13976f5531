package codecs

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

var (
	drawnCount = flag.Int("codecs.types", 6, "types that TestDrawnTypes draws")
	drawnSeed  = flag.Uint64("codecs.seed", 1, "what they are drawn with")
	drawnKeep  = flag.String("codecs.keep", "", "file to leave the source of the types in")
)

// drawn are the types of the generated file, which is part of the package in the second
// process of TestDrawnTypes only.
var drawn []subject

// Whatever Send accepts, the receiver gets, of types that are drawn at random as well: TestDrawnTypes
// writes their declarations to a file and runs the tests of this package with it.
// A type is refused when the Protocol is used, or each value of it is refused or arrives.
//
//	go test -run TestDrawnTypes ./tests/codecs -timeout 1h -codecs.types 300 -codecs.rounds 500 -codecs.seed 7
//
// sends some 700,000 values of types that no other seed has.
func TestDrawnTypes(t *testing.T) {
	if len(drawn) > 0 {
		t.Skip("this is the process with the types: TestArrives")
	}
	if testing.Short() || testkit.RaceEnabled {
		t.Skip("compiles a package, which runs without the race detector")
	}
	dir := t.TempDir()
	source := filepath.Join(dir, "drawn_types_test.go")
	text := []byte(generate(*drawnSeed, *drawnCount))
	if err := os.WriteFile(source, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if *drawnKeep != "" {
		if err := os.WriteFile(*drawnKeep, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(here, "drawn_types_test.go"): source}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	limit := time.Hour
	if end, ok := t.Deadline(); ok {
		limit = time.Until(end) - 5*time.Second
	}
	cmd := exec.Command("go", "test", "-vet=off", "-count=1", "-overlay", filepath.Join(dir, "overlay.json"), "-run", "^TestDrawnArrive$", "-v", "-timeout", limit.String(),
		".", "-args", fmt.Sprintf("-codecs.rounds=%d", max(1, *rounds/4)), fmt.Sprintf("-codecs.seed=%d", *drawnSeed))
	out, err := cmd.CombinedOutput()
	if i := bytes.Index(out, []byte("in all: ")); i >= 0 {
		summary, _, _ := bytes.Cut(out[i:], []byte("\n"))
		t.Logf("%s", summary)
	} else if err == nil {
		t.Error("the process has said nothing")
	}
	if err != nil {
		t.Errorf("types of seed %d (-codecs.keep FILE leaves them in a file): %v\n%s", *drawnSeed, err, tail(out, 6000))
	}
}

// tail is the end of out.
func tail(out []byte, n int) []byte { return out[max(0, len(out)-n):] }

// TestDrawnArrive is the second process of TestDrawnTypes.
func TestDrawnArrive(t *testing.T) {
	if len(drawn) == 0 {
		t.Skip("for TestDrawnTypes")
	}
	debug.SetMaxStack(64 << 20)
	register()
	var values, accepted, unfit int
	for _, s := range drawn {
		for _, codec := range codecNames {
			if err := s.unfit(codec); err != nil {
				unfit++
				continue
			}
			problems := 0
			for i := range uint64(*rounds) {
				seed := *drawnSeed<<32 + i
				ok, problem := s.round(codec, seed)
				values++
				if ok {
					accepted++
				}
				if problem != "" {
					t.Errorf("%s of %s, value %d: %.600s", codec, s.name, i, problem)
					if problems++; problems == 2 {
						break
					}
				}
			}
		}
	}
	t.Logf("in all: %d types, %d of them times codecs refused; %d values, %d accepted", len(drawn), unfit, values, accepted)
}

// anyTypes are types of which an any holds values.
var anyTypes = []reflect.Type{reflect.TypeFor[color](), reflect.TypeFor[temperature](), reflect.TypeFor[custom](), reflect.TypeFor[map[int]string](), reflect.TypeFor[map[color]int](), reflect.TypeFor[embeds](), reflect.TypeFor[json.RawMessage](), reflect.TypeFor[*point]()}

// register makes anyTypes known to gob, as a program would.
func register() {
	for _, t := range anyTypes {
		func() {
			defer func() {
				if r := recover(); r != nil && !strings.Contains(fmt.Sprint(r), "gob") {
					panic(r)
				}
			}()
			if t.Kind() != reflect.Interface {
				gob.Register(reflect.Zero(t).Interface())
			}
		}()
	}
}
