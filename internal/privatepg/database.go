package privatepg

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// duplicateDatabase is the SQLSTATE of a database that exists already.
const duplicateDatabase = "42P04"

// CreateDatabase creates a database unless it exists.
func (s *Server) CreateDatabase(ctx context.Context, name string) error {
	err := s.Exec(ctx, "postgres", "CREATE DATABASE "+QuoteIdentifier(name))
	if refusal, ok := errors.AsType[*pgconn.PgError](err); ok && refusal.Code == duplicateDatabase {
		return nil
	}
	if err != nil {
		return fmt.Errorf("create database %s: %w", name, err)
	}
	return nil
}

// Exec runs statements in a database as the superuser and drops their rows.
func (s *Server) Exec(ctx context.Context, database, statements string) error {
	conn, err := pgconn.Connect(ctx, s.URL(database))
	if err != nil {
		return s.withLog(fmt.Errorf("connect to database %s: %w", database, err))
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, statements).ReadAll(); err != nil {
		return fmt.Errorf("execute in database %s: %w", database, err)
	}
	return nil
}

// QuoteIdentifier quotes a name for use in a statement.
func QuoteIdentifier(name string) string {
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}
