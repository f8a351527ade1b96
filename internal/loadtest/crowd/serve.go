package crowd

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
)

const (
	// maxCommand bounds a line.
	maxCommand = 1 << 20
	// maxUnwritten is how many reports may wait for whoever reads them: a minute of a run.
	maxUnwritten = 64
)

// Serve carries out the commands of in, one a line, and writes reports to out, until in ends.
func Serve(ctx context.Context, in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	reports := make(chan Report, maxUnwritten)
	l, err := newLoop(func(r Report) {
		select {
		case reports <- r:
		case <-ctx.Done():
		}
	})
	if err != nil {
		return err
	}
	ended := make(chan error, 3)
	go func() { ended <- readCommands(in, func(c Command) { l.Post(func() { l.obey(c) }) }) }()
	var running sync.WaitGroup
	running.Go(func() { ended <- l.Run(ctx) })
	running.Go(func() { ended <- write(ctx, out, reports) })
	err = <-ended // whichever is first; who reads may be left behind, blocked in its input
	cancel()
	running.Wait()
	l.close()
	return err
}

func write(ctx context.Context, out io.Writer, reports <-chan Report) error {
	encoder := json.NewEncoder(out)
	for {
		select {
		case r := <-reports:
			if err := encoder.Encode(r); err != nil {
				return fmt.Errorf("write a report: %w", err)
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// readCommands returns nil at the end of its input.
func readCommands(in io.Reader, obey func(Command)) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxCommand)
	for lines.Scan() {
		var c Command
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			return fmt.Errorf("read a command: %w", err)
		}
		obey(c)
	}
	if err := lines.Err(); err != nil && !errors.Is(err, io.ErrClosedPipe) {
		return fmt.Errorf("read commands: %w", err)
	}
	return nil
}
