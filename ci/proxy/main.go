// Command proxy writes this tree as a module proxy of files, in which the library and the command
// have the version that the command's go.mod requires: what go install finds after a release.
//
//	go run ./ci/proxy DIR
//	GOPROXY=file://DIR,… go install github.com/fb9bb4ed/qsocket/cmd/qsocket@VERSION
//
// It prints VERSION. The format is that of https://go.dev/ref/mod#goproxy-protocol.
package main

import (
	"archive/zip"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

const library, command = "github.com/fb9bb4ed/qsocket", "cmd/qsocket"

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: proxy DIR, from the root of the tree")
	}
	requires, err := os.ReadFile(filepath.Join(command, "go.mod"))
	if err != nil {
		log.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^\s*(?:require )?` + regexp.QuoteMeta(library) + ` (\S+)$`).FindSubmatch(requires)
	if m == nil {
		log.Fatalf("%s/go.mod does not require %s", command, library)
	}
	version := string(m[1])
	listed, err := exec.Command("git", "ls-files", "-co", "--exclude-standard").Output()
	if err != nil {
		log.Fatalf("git ls-files: %v", err)
	}
	files := strings.Split(strings.TrimSpace(string(listed)), "\n")
	for module, dir := range map[string]string{library: ".", library + "/" + command: command} {
		if err := write(os.Args[1], module, version, dir, files); err != nil {
			log.Fatalf("%s: %v", module, err)
		}
	}
	fmt.Println(version)
}

// write writes a version of the module whose go.mod is in dir.
func write(proxy, module, version, dir string, files []string) error {
	to := filepath.Join(proxy, filepath.FromSlash(module), "@v")
	if err := os.MkdirAll(to, 0o777); err != nil {
		return err
	}
	info, err := json.Marshal(map[string]any{"Version": version, "Time": time.Now().UTC()})
	if err != nil {
		return err
	}
	mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		return err
	}
	for name, content := range map[string][]byte{"list": []byte(version + "\n"), version + ".info": info, version + ".mod": mod} {
		if err := os.WriteFile(filepath.Join(to, name), content, 0o666); err != nil {
			return err
		}
	}
	out, err := os.Create(filepath.Join(to, version+".zip"))
	if err != nil {
		return err
	}
	z := zip.NewWriter(out)
	for _, file := range files {
		if !belongs(file, dir, files) {
			continue
		}
		name := strings.TrimPrefix(file, dir+"/")
		if err := add(z, module+"@"+version+"/"+name, file); err != nil {
			return err
		}
	}
	if err := z.Close(); err != nil {
		return err
	}
	return out.Close()
}

// belongs reports whether file is of the module in dir, and not of one below it.
func belongs(file, dir string, files []string) bool {
	for at := path.Dir(file); at != dir; at = path.Dir(at) {
		if at == "." || slices.Contains(files, path.Join(at, "go.mod")) {
			return false
		}
	}
	return true
}

// add copies a file, if there is one: git lists those that have been deleted as well.
func add(z *zip.Writer, name, file string) error {
	in, err := os.Open(file)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := z.Create(name)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return err
}
