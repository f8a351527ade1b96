package keda

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/usher-pg/usher/internal/keda/externalscaler"
)

// service answers the calls.
type service struct {
	externalscaler.UnimplementedExternalScalerServer

	source Source
	log    *slog.Logger

	interval time.Duration // between two looks of a stream
	life     time.Duration // of a stream
	streams  chan struct{} // holds one value per open stream
	ending   <-chan struct{}
}

func (s *service) IsActive(
	_ context.Context, r *externalscaler.ScaledObjectRef,
) (*externalscaler.IsActiveResponse, error) {
	_, active, err := s.look(r)
	if err != nil {
		return nil, err
	}
	return &externalscaler.IsActiveResponse{Result: active}, nil
}

// StreamIsActive says at once whether the trigger is active, and again each time that changes. It ends without an error
// when usher does, or when it is old, and KEDA opens another one; and with an error as soon as nothing can be said.
func (s *service) StreamIsActive(
	r *externalscaler.ScaledObjectRef, stream grpc.ServerStreamingServer[externalscaler.IsActiveResponse],
) error {
	select {
	case s.streams <- struct{}{}:
		defer func() { <-s.streams }()
	default:
		return status.Errorf(codes.ResourceExhausted, "%d streams are open: use the trigger external, which asks",
			cap(s.streams))
	}
	next := time.NewTicker(s.interval)
	defer next.Stop()
	old := time.NewTimer(s.life)
	defer old.Stop()
	said := false
	for first := true; ; first = false {
		_, active, err := s.look(r)
		if err != nil {
			return err
		}
		if first || active != said {
			if err := stream.Send(&externalscaler.IsActiveResponse{Result: active}); err != nil {
				return err
			}
			said = active
		}
		select {
		case <-next.C:
		case <-old.C:
			return nil
		case <-s.ending:
			return nil
		case <-stream.Context().Done():
			return status.FromContextError(stream.Context().Err()).Err()
		}
	}
}

// GetMetricSpec does not ask whether there is such a pool: without an answer KEDA makes no HorizontalPodAutoscaler, and
// a pool of the configuration's fallback only comes with its first client.
func (s *service) GetMetricSpec(
	_ context.Context, r *externalscaler.ScaledObjectRef,
) (*externalscaler.GetMetricSpecResponse, error) {
	t, err := parse(r)
	if err != nil {
		return nil, err
	}
	return &externalscaler.GetMetricSpecResponse{MetricSpecs: []*externalscaler.MetricSpec{{
		MetricName: t.metricName(),
		// Less than asked for makes more replicas rather than fewer. It may not be 0.
		TargetSize:      max(1, int64(math.Floor(t.perReplica))),
		TargetSizeFloat: t.perReplica,
	}}}, nil
}

func (s *service) GetMetrics(
	_ context.Context, r *externalscaler.GetMetricsRequest,
) (*externalscaler.GetMetricsResponse, error) {
	t, err := parse(r.GetScaledObjectRef())
	if err != nil {
		return nil, err
	}
	if name := t.metricName(); r.GetMetricName() != name {
		return nil, status.Errorf(codes.InvalidArgument, "metric %s: expected %s", shown(r.GetMetricName()), name)
	}
	value, err := s.value(t)
	if err != nil {
		return nil, err
	}
	return &externalscaler.GetMetricsResponse{MetricValues: []*externalscaler.MetricValue{{
		MetricName:       t.metricName(),
		MetricValue:      int64(math.Ceil(value)),
		MetricValueFloat: value,
	}}}, nil
}

// look is the value for a trigger, and whether it is active.
func (s *service) look(r *externalscaler.ScaledObjectRef) (value float64, active bool, err error) {
	t, err := parse(r)
	if err != nil {
		return 0, false, err
	}
	value, err = s.value(t)
	return value, value > t.activation, err
}

// parse reads the trigger of a ScaledObject, or gives the error for whoever asks.
func parse(r *externalscaler.ScaledObjectRef) (trigger, error) {
	t, err := parseTrigger(r.GetScalerMetadata())
	if err != nil {
		return t, status.Errorf(codes.InvalidArgument, "metadata of the trigger: %v", err)
	}
	return t, nil
}

// value is what a trigger's replicas should be enough for, or the error for whoever asks.
func (s *service) value(t trigger) (float64, error) {
	outlook, err := s.source.Outlook(t.pool, t.quantile, t.lookAhead)
	switch {
	case errors.Is(err, ErrNoPool):
		return 0, status.Errorf(codes.NotFound, "there is no pool %s: expected a pool of usher that is in use or has an "+
			"entry in its configuration", shown(t.pool))
	case err != nil:
		return 0, status.Errorf(codes.Unavailable, "pool %s: %v", shown(t.pool), err)
	}
	value, ok, why := outlook.value(t.metric)
	if !ok {
		return 0, status.Errorf(codes.Unavailable, "pool %s: %s", shown(t.pool), why)
	}
	if outlook.Absent != "" {
		s.log.Debug("keda is told what is measured", slog.String("pool", t.pool), slog.String("why", outlook.Absent))
	}
	return value, nil
}
