package qsocket_test

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

// Nouns without an example, and why.
var withoutExample = map[string]string{
	"codecbench.Run":     "takes a *testing.B; its documentation shows a benchmark",
	"codecbench.Compare": "prints times, which differ; Measure has an example",
	"codecbench.Range":   "holds times, which differ",
	"pickle.Option":      "the options have examples, each its own",
}

// Each exported function and type has an example that runs, or occurs in one.
func TestEveryNounHasAnExample(t *testing.T) {
	exported := regexp.MustCompile(`(?m)^pkg github\.com/fb9bb4ed/(?:qsocket/)?(\w+), (?:func|type) (\w+)`)
	seen := make(map[string]bool)
	for _, dir := range []string{".", "qsockettest", "codecbench", "pickle"} {
		for name := range shownNouns(t, dir) {
			seen[name] = true
		}
	}
	count := 0
	for _, m := range exported.FindAllStringSubmatch(testkit.ReadFile(t, "ci/api.txt"), -1) {
		noun := m[1] + "." + m[2]
		count++
		if !seen[noun] && withoutExample[noun] == "" {
			t.Errorf("%s is in no example", noun)
		}
	}
	if count < 50 {
		t.Errorf("got %d exported nouns, want many more", count)
	}
}

// shownNouns returns what the examples of a folder that have an output are named for or use.
func shownNouns(t *testing.T, dir string) map[string]bool {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	fset := token.NewFileSet()
	var files []*ast.File
	for _, path := range paths {
		file, err := parser.ParseFile(fset, path, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	pkg := dir
	if dir == "." {
		pkg = "qsocket"
	}
	nouns := make(map[string]bool)
	for _, example := range doc.Examples(files...) {
		if example.Output == "" && !example.EmptyOutput {
			continue
		}
		noun, _, _ := strings.Cut(example.Name, "_")
		nouns[pkg+"."+noun] = true
		ast.Inspect(example.Code, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := s.X.(*ast.Ident); ok {
					nouns[x.Name+"."+s.Sel.Name] = true
				}
			}
			return true
		})
	}
	return nouns
}
