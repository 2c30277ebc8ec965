// Command interop connects as a Go program does by default: crypto/tls with no settings but the CA and
// the client's certificate. It asks for the versions twice, the second time on a resumed session, and
// prints what was negotiated as one JSON line.
//
// It uses the standard library only, so that it builds without fetching anything.
package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"
)

const (
	structure   = 1
	integer     = 2
	enumeration = 5

	tagBatchCount      = 0x42000D
	tagBatchItem       = 0x42000F
	tagOperation       = 0x42005C
	tagProtocolVersion = 0x420069
	tagVersionMajor    = 0x42006A
	tagVersionMinor    = 0x42006B
	tagRequestHeader   = 0x420077
	tagRequestMessage  = 0x420078
	tagRequestPayload  = 0x420079
	tagResponseMessage = 0x42007B
	tagResultStatus    = 0x42007F

	discoverVersions = 0x1E
	maximumMessage   = 1 << 20
)

func item(tag uint32, kind byte, value []byte) []byte {
	out := binary.BigEndian.AppendUint32(nil, tag<<8|uint32(kind))
	out = binary.BigEndian.AppendUint32(out, uint32(len(value)))
	out = append(out, value...)
	return append(out, make([]byte, (8-len(value)%8)%8)...)
}

func group(tag uint32, children ...[]byte) []byte {
	return item(tag, structure, bytes.Join(children, nil))
}

func number(tag uint32, kind byte, value uint32) []byte {
	return item(tag, kind, binary.BigEndian.AppendUint32(nil, value))
}

// request is Discover Versions with an empty payload under header version 1.1, the first thing that
// KMIP libraries for Go send.
func request() []byte {
	version := group(tagProtocolVersion, number(tagVersionMajor, integer, 1), number(tagVersionMinor, integer, 1))
	header := group(tagRequestHeader, version, number(tagBatchCount, integer, 1))
	body := group(tagBatchItem, number(tagOperation, enumeration, discoverVersions), group(tagRequestPayload))
	return group(tagRequestMessage, header, body)
}

// exchange sends the request and returns the whole response.
func exchange(stream io.ReadWriter) ([]byte, error) {
	if _, err := stream.Write(request()); err != nil {
		return nil, err
	}
	head := make([]byte, 8)
	if _, err := io.ReadFull(stream, head); err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(head[4:])
	if binary.BigEndian.Uint32(head)>>8 != tagResponseMessage || size > maximumMessage {
		return nil, fmt.Errorf("not a response message: % x", head)
	}
	body := make([]byte, size)
	_, err := io.ReadFull(stream, body)
	return append(head, body...), err
}

type outcome struct {
	Version string `json:"version"`
	Suite   string `json:"suite"`
	Resumed bool   `json:"resumed"`
}

func ask(address string, config *tls.Config) (outcome, error) {
	connection, err := tls.Dial("tcp", address, config)
	if err != nil {
		return outcome{}, err
	}
	defer connection.Close()
	if err := connection.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		return outcome{}, err
	}
	response, err := exchange(connection)
	if err != nil {
		return outcome{}, err
	}
	if !bytes.Contains(response, number(tagResultStatus, enumeration, 0)) {
		return outcome{}, errors.New("Discover Versions did not succeed")
	}
	state := connection.ConnectionState()
	return outcome{tls.VersionName(state.Version), tls.CipherSuiteName(state.CipherSuite), state.DidResume}, nil
}

func run() error {
	address := flag.String("address", "", "HOST:PORT of the server")
	ca := flag.String("ca", "", "CA certificate")
	cert := flag.String("cert", "", "client certificate")
	key := flag.String("key", "", "client key")
	highest := flag.String("tls", "1.3", "highest TLS version: 1.2 or 1.3")
	flag.Parse()

	pair, err := tls.LoadX509KeyPair(*cert, *key)
	if err != nil {
		return err
	}
	authority, err := os.ReadFile(*ca)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(authority) {
		return errors.New("no certificate in the CA file")
	}
	config := &tls.Config{
		RootCAs:            roots,
		Certificates:       []tls.Certificate{pair},
		ClientSessionCache: tls.NewLRUClientSessionCache(1),
	}
	if *highest == "1.2" {
		config.MaxVersion = tls.VersionTLS12
	}
	outcomes := make([]outcome, 2)
	for i := range outcomes {
		if outcomes[i], err = ask(*address, config); err != nil {
			return fmt.Errorf("connection %d: %w", i+1, err)
		}
	}
	return json.NewEncoder(os.Stdout).Encode(outcomes)
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "interop:", err)
		os.Exit(1)
	}
}
