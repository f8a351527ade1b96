package keda

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"runtime/debug"
	"time"

	"golang.org/x/net/netutil"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	"github.com/usher-pg/usher/internal/keda/externalscaler"
)

// Limits of the server; ours. KEDA has one connection for all triggers with one address, and asks every 15 to 30
// seconds for each of them.
const (
	maxClients       = 32       // connections: a flood must not take descriptors that clients of the database need
	maxMessage       = 64 << 10 // bytes of a call: metadata are written by people
	maxHeader        = 8 << 10  // bytes
	maxStreams       = 200      // open StreamIsActive, all connections together
	maxCalls         = 256      // at a time, a connection: more than maxStreams, so that streams never keep questions out
	handshakeTimeout = 5 * time.Second
	idleTimeout      = 10 * time.Minute // of a connection without calls; KEDA then connects again
	maxAge           = 30 * time.Minute // of a connection, so that KEDA finds out who else is behind the name
	pingAfter        = time.Minute      // without a sign of a client, so that the streams of one that is gone end
	pingTimeout      = 20 * time.Second
	minPingInterval  = 30 * time.Second // of clients; one that pings more often is sent away
	drainTimeout     = 5 * time.Second

	// streamInterval is how often a stream looks: soon enough for a pod that starts in seconds, and nothing to compute.
	streamInterval = 5 * time.Second
	// streamLife is less than a connection's grace beyond its age, so that no stream is cut off.
	streamLife = 20 * time.Minute
)

// Config is what a Server needs.
type Config struct {
	Listener net.Listener // Run closes it
	Source   Source
	Log      *slog.Logger
}

// Server is the external scaler.
type Server struct {
	config   Config
	interval time.Duration // of streams
}

// New is a Server, not yet running.
func New(config Config) *Server { return &Server{config: config, interval: streamInterval} }

// Run serves until ctx ends, lets answers under way finish, and returns nil; or the error that ended it earlier.
func (s *Server) Run(ctx context.Context) error {
	server := grpc.NewServer(s.options()...)
	externalscaler.RegisterExternalScalerServer(server, &service{
		source: s.config.Source, log: s.config.Log, interval: s.interval, life: streamLife,
		streams: make(chan struct{}, maxStreams), ending: ctx.Done(),
	})
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(netutil.LimitListener(s.config.Listener, maxClients)) }()

	select {
	case err := <-failed:
		server.Stop()
		return fmt.Errorf("serve keda: %w", err)
	case <-ctx.Done():
	}
	cut := time.AfterFunc(drainTimeout, server.Stop)
	server.GracefulStop()
	if !cut.Stop() {
		s.config.Log.Warn("keda answers cut off")
	}
	if err := <-failed; err != nil {
		return fmt.Errorf("serve keda: %w", err)
	}
	return nil
}

func (s *Server) options() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.MaxRecvMsgSize(maxMessage),
		grpc.MaxSendMsgSize(maxMessage),
		grpc.MaxHeaderListSize(maxHeader),
		grpc.MaxConcurrentStreams(maxCalls),
		grpc.ConnectionTimeout(handshakeTimeout),
		grpc.KeepaliveParams(keepalive.ServerParameters{
			MaxConnectionIdle: idleTimeout, MaxConnectionAge: maxAge, MaxConnectionAgeGrace: streamLife + drainTimeout,
			Time: pingAfter, Timeout: pingTimeout,
		}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: minPingInterval}),
		grpc.WaitForHandlers(true),
		grpc.UnaryInterceptor(s.guardCall),
		grpc.StreamInterceptor(s.guardStream),
	}
}

// guardCall and guardStream keep a bug in an answer from ending the process, as net/http does.
func (s *Server) guardCall(
	ctx context.Context, request any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler,
) (answer any, err error) {
	defer s.guard(info.FullMethod, &err)
	return handler(ctx, request)
}

func (s *Server) guardStream(
	srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler,
) (err error) {
	defer s.guard(info.FullMethod, &err)
	return handler(srv, stream)
}

func (s *Server) guard(method string, err *error) {
	if p := recover(); p != nil {
		s.config.Log.Error("keda: panic", slog.String("method", method), slog.Any("panic", p),
			slog.String("stack", string(debug.Stack())))
		*err = status.Error(codes.Internal, "the answer failed")
	}
}
