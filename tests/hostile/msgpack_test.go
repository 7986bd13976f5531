package hostile

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

type (
	mpStruct struct {
		M map[string]any
		L [][]int
		S string
		B []byte
		N uint8
		I int64
		T time.Time
		W []struct{ A [1024]byte }
		X []*struct{ A [1024]byte }
		P *mpStruct
	}
	mpTree struct {
		M map[string]mpTree
		L []mpTree
		P *mpTree
		S string
		B []byte
	}
)

// readHexCases reads a file of cases, which explains its columns.
func readHexCases(path string) (cases []hostileCase, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		cols := strings.Split(line, "|")
		if len(cols) != 4 {
			return nil, fmt.Errorf("%s: %d columns, want 4: %s", path, len(cols), line)
		}
		payload, err := testkit.RepeatedHex(cols[2])
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", path, cols[0], err)
		}
		c := hostileCase{name: strings.TrimSpace(cols[0]), why: strings.TrimSpace(cols[3]), payloads: [][]byte{payload}}
		if refused := strings.TrimSpace(cols[1]); refused != "*" {
			c.refused = strings.Split(refused, ",")
		}
		cases = append(cases, c)
	}
	return cases, nil
}
