// A MongoDB server for tests: FerretDB over SQLite, in one folder, on this machine only.
//
// FerretDB's own command does not build from its module (a version file is missing there); its embeddable package does.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"os/signal"
	"syscall"

	"github.com/FerretDB/FerretDB/ferretdb"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintf(os.Stderr, "ferretdb: %v\n", err)
		os.Exit(1)
	}
}

// run serves until it is told to stop, and writes its address to a file as soon as it listens.
func run() error {
	if len(os.Args) != 3 {
		return fmt.Errorf("usage: %s FOLDER ADDRESS-FILE", os.Args[0])
	}
	folder, addressFile := os.Args[1], os.Args[2]
	context, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	server, err := newServer(folder)
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Run(context) }()
	// Known only after Run has started to listen; MongoDBURI waits for that.
	behind, err := url.Parse(server.MongoDBURI())
	if err != nil {
		return err
	}
	// Port 0: the system chooses a free port.
	front, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go oneByOne(front, behind.Host)
	if err := tell(addressFile, fmt.Sprintf("mongodb://%s/\n", front.Addr())); err != nil {
		return err
	}
	return <-ended
}

func newServer(folder string) (*ferretdb.FerretDB, error) {
	// The data is needed only during the tests, so writes do not wait for the disk.
	data := url.URL{Scheme: "file", Path: folder + "/", RawQuery: "_pragma=synchronous(off)"}
	return ferretdb.New(&ferretdb.Config{
		Listener:  ferretdb.ListenerConfig{TCP: "127.0.0.1:0"},
		Logger:    slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
		Handler:   "sqlite",
		SQLiteURL: data.String(),
	})
}

// tell writes a file atomically.
func tell(file, text string) error {
	if err := os.WriteFile(file+".new", []byte(text), 0o600); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}
