package main

import (
	"bufio"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
)

// A machine says where, when and with what the numbers came about.
type machine struct {
	CPU     string
	Cores   int // that the program may use
	OS      string
	Arch    string
	Go      string
	Date    time.Time
	Modules map[string]string `json:",omitempty"` // version by path, of all that is linked in
}

func thisMachine() machine {
	m := machine{
		CPU: cpuModel(), Cores: runtime.GOMAXPROCS(0), OS: runtime.GOOS, Arch: runtime.GOARCH,
		Go: runtime.Version(), Date: time.Now().UTC().Truncate(time.Second),
		Modules: make(map[string]string),
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dep := range info.Deps {
			if dep.Replace != nil { // this repository
				continue
			}
			m.Modules[dep.Path] = dep.Version
		}
	}
	return m
}

const unknownCPU = "unknown"

// cpuModel returns the name of the processor, or unknownCPU where the system
// does not tell as Linux does.
func cpuModel() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return unknownCPU
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), ":")
		if strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return unknownCPU
}
