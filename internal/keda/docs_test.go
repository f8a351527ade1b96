package keda

import (
	"errors"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/usher-pg/usher/internal/keda/externalscaler"
)

const docsFile = "../../docs/keda.md"

// documented is an object of Kubernetes in the documentation, as much of it as concerns us.
type documented struct {
	Kind     string              `yaml:"kind"`
	Triggers []documentedTrigger `yaml:"triggers"`
	Spec     struct {
		Triggers []documentedTrigger `yaml:"triggers"`
	} `yaml:"spec"`
}

type documentedTrigger struct {
	Type     string            `yaml:"type"`
	Metadata map[string]string `yaml:"metadata"`
}

func TestTheDocumentationIsTrue(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(docsFile)
	if err != nil {
		t.Fatal(err)
	}
	for key := range keys {
		if !strings.Contains(string(data), "| `"+key+"` |") {
			t.Errorf("%s does not explain %s", docsFile, key)
		}
	}
	found := map[string]int{}
	for i, block := range strings.Split(string(data), "```yaml\n")[1:] {
		text, _, _ := strings.Cut(block, "```")
		for decoder := yaml.NewDecoder(strings.NewReader(text)); ; {
			var o documented
			if err := decoder.Decode(&o); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("block %d: %v", i+1, err)
			}
			for _, trigger := range append(o.Triggers, o.Spec.Triggers...) {
				found[trigger.Type]++
				if !strings.HasPrefix(trigger.Type, "external") {
					continue
				}
				if _, err := parseTrigger(trigger.Metadata); err != nil {
					t.Errorf("block %d: %v", i+1, err)
				}
			}
		}
	}
	want := map[string]int{"external": 1, "cpu": 1, "prometheus": 1, "metrics-api": 2}
	if diff := cmp.Diff(want, found); diff != "" {
		t.Errorf("triggers (-want +got):\n%s", diff)
	}
}

// contract is what goes over the wire, from kedacore/keda, pkg/scalers/externalscaler/externalscaler.proto.
const contract = `/externalscaler.ExternalScaler/IsActive: ScaledObjectRef -> IsActiveResponse
/externalscaler.ExternalScaler/StreamIsActive: ScaledObjectRef -> stream IsActiveResponse
/externalscaler.ExternalScaler/GetMetricSpec: ScaledObjectRef -> GetMetricSpecResponse
/externalscaler.ExternalScaler/GetMetrics: GetMetricsRequest -> GetMetricsResponse
ScaledObjectRef: 1 optional string name, 2 optional string namespace, 3 map string string scalerMetadata
IsActiveResponse: 1 optional bool result
GetMetricSpecResponse: 1 repeated MetricSpec metricSpecs
MetricSpec: 1 optional string metricName, 2 optional int64 targetSize, 3 optional double targetSizeFloat
GetMetricsRequest: 1 optional ScaledObjectRef scaledObjectRef, 2 optional string metricName
GetMetricsResponse: 1 repeated MetricValue metricValues
MetricValue: 1 optional string metricName, 2 optional int64 metricValue, 3 optional double metricValueFloat
`

func TestTheContractIsKEDAs(t *testing.T) {
	t.Parallel()
	file := externalscaler.File_externalscaler_proto
	var got strings.Builder
	for i := range file.Services().Len() {
		service := file.Services().Get(i)
		for j := range service.Methods().Len() {
			m := service.Methods().Get(j)
			stream := map[bool]string{true: "stream "}
			got.WriteString("/" + string(service.FullName()) + "/" + string(m.Name()) + ": " +
				stream[m.IsStreamingClient()] + string(m.Input().Name()) + " -> " +
				stream[m.IsStreamingServer()] + string(m.Output().Name()) + "\n")
		}
	}
	for i := range file.Messages().Len() {
		m := file.Messages().Get(i)
		var fields []string
		for j := range m.Fields().Len() {
			fields = append(fields, describe(m.Fields().Get(j)))
		}
		got.WriteString(string(m.Name()) + ": " + strings.Join(fields, ", ") + "\n")
	}
	if diff := cmp.Diff(contract, got.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func describe(f protoreflect.FieldDescriptor) string {
	what := f.Cardinality().String() + " " + f.Kind().String()
	switch {
	case f.IsMap():
		what = "map " + f.MapKey().Kind().String() + " " + f.MapValue().Kind().String()
	case f.Message() != nil:
		what = f.Cardinality().String() + " " + string(f.Message().Name())
	}
	return strings.Join([]string{strconv.Itoa(int(f.Number())), what, string(f.Name())}, " ")
}
