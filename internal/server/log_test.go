package server

import (
	"bytes"
	"strings"
	"testing"

	"github.com/usher-pg/usher/internal/config"
)

func TestLog(t *testing.T) {
	t.Parallel()
	for format, want := range map[config.LogFormat]string{
		config.LogText: `msg=said key=value`, config.LogJSON: `"msg":"said","key":"value"`,
	} {
		var out bytes.Buffer
		log := NewLog(&out, config.Log{Level: config.LogWarn, Format: format})
		log.Info("unsaid")
		log.SetLevel(config.LogInfo)
		log.Info("said", "key", "value")
		if text := out.String(); !strings.Contains(text, want) || strings.Contains(text, "unsaid") {
			t.Errorf("%s: %s", format, text)
		}
	}
	for _, l := range []config.LogLevel{config.LogDebug, config.LogInfo, config.LogWarn, config.LogError} {
		if _, ok := levels[l]; !ok {
			t.Errorf("level %s is unknown", l)
		}
	}
}
