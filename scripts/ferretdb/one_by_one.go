package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"
)

// The length of a message, which includes the header, and three numbers that are not used here.
// https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/#standard-message-header
const headerSize = 16

// The maximum length of a message: the `maxMessageSizeBytes` that every server announces to its clients.
const maxMessageSize = 48_000_000

// oneByOne forwards commands to the server behind it, one at a time.
//
// MongoDB changes a document in one atomic step. FerretDB reads it and then writes it, even if it changed in between: two
// clients that both replace revision 7 are both told that they succeeded. With one command at a time, its step is atomic too.
func oneByOne(front net.Listener, behind string) {
	var turn sync.Mutex
	for {
		client, err := front.Accept()
		if err != nil {
			return
		}
		go func() {
			defer client.Close()
			server, err := net.Dial("tcp", behind)
			if err != nil {
				return
			}
			defer server.Close()
			// Either side may close the connection.
			for exchange(client, server, &turn) == nil {
			}
		}()
	}
}

// exchange forwards one command and its response.
func exchange(client, server net.Conn, turn *sync.Mutex) error {
	command, err := read(client)
	if err != nil {
		return err
	}
	answer, err := func() ([]byte, error) {
		turn.Lock()
		defer turn.Unlock()
		if _, err := server.Write(command); err != nil {
			return nil, err
		}
		return read(server)
	}()
	if err != nil {
		return err
	}
	_, err = client.Write(answer)
	return err
}

func read(connection net.Conn) ([]byte, error) {
	header := make([]byte, headerSize)
	if _, err := io.ReadFull(connection, header); err != nil {
		return nil, err
	}
	length := binary.LittleEndian.Uint32(header)
	if length < headerSize || length > maxMessageSize {
		return nil, fmt.Errorf("a message of %d bytes", length)
	}
	message := append(header, make([]byte, length-headerSize)...)
	_, err := io.ReadFull(connection, message[headerSize:])
	return message, err
}
