package main

import (
	"runtime/debug"
	"slices"
	"strings"
)

// version is set by the release build.
var version = "dev"

type versionCmd struct{}

type versionInfo struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Modified bool   `json:"modified,omitempty"`
	Go       string `json:"go"`
}

func readVersion() versionInfo {
	v := versionInfo{Version: version}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	v.Go = info.GoVersion
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Revision = s.Value
		case "vcs.modified":
			v.Modified = s.Value == "true"
		}
	}
	return v
}

// Help is an example.
func (versionCmd) Help() string { return "Example:\n  timbridge version --json" }

// Run prints the version.
func (versionCmd) Run(e *env) error {
	v := readVersion()
	return e.print(v, "timbridge %s\n", v)
}

// String is the version in a line.
func (v versionInfo) String() string {
	revision := v.Revision
	if len(revision) > 12 {
		revision = revision[:12]
	}
	if v.Modified {
		revision += " modified"
	}
	return strings.Join(slices.DeleteFunc([]string{v.Version, revision, v.Go}, func(s string) bool { return s == "" }), ", ")
}
