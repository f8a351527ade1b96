//go:build integration

package conformance

import (
	"os/exec"
	"sync"
	"testing"
)

// nodeScenarios are the names program.js knows.
var nodeScenarios = []string{
	"queries", "prepared", "pipelined", "pipelineMode", "transactions", "copy", "cursor", "cancel", "set",
	"notifications",
}

// TestNodePostgres runs the scenarios of node/program.js, each in a process of its own.
func TestNodePostgres(t *testing.T) {
	t.Parallel()
	installNodePackages(t)
	each(t, "two", func(t *testing.T, target *target) {
		for _, scenario := range nodeScenarios {
			t.Run(scenario, func(t *testing.T) {
				name := unique("node")
				target.succeed(t, program{
					name: "node", arguments: []string{"program.js", scenario}, folder: "node",
					more: []string{"CONFORMANCE_TABLE=" + name, "PGAPPNAME=" + name},
				})
			})
		}
	})
}

var nodePackages struct {
	once   sync.Once
	output []byte
	err    error
}

// installNodePackages installs what the lock file says, unless it is there.
func installNodePackages(t *testing.T) {
	t.Helper()
	npm := find(t, "npm")
	nodePackages.once.Do(func() {
		if isFile("node/node_modules/.package-lock.json") {
			return
		}
		command := exec.Command(npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts")
		command.Dir = "node"
		nodePackages.output, nodePackages.err = command.CombinedOutput()
	})
	if nodePackages.err != nil {
		t.Fatalf("npm ci: %v\n%s", nodePackages.err, nodePackages.output)
	}
}
