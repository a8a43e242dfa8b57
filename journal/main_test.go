package journal_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// childEnv makes this binary the process that TestKill kills.
const childEnv = "JOURNAL_TEST_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		child(dir)
		return
	}
	goleak.VerifyTestMain(m)
}
