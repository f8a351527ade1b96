package login

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if crowd := os.Getenv(crowdVariable); crowd != "" {
		os.Exit(runCrowd(crowd))
	}
	if os.Getenv(shortageVariable) != "" {
		os.Exit(runShortage())
	}
	goleak.VerifyTestMain(m)
}
