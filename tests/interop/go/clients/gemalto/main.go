// Command gemalto uses a key manager through github.com/gemalto/kmip-go, which knows KMIP 2.0 and writes and
// reads XML and JSON with code of its own. It takes a key through its life in each version and encoding; what
// became of each is printed as one JSON object, to an error, or to nothing where all went well.
package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/gemalto/kmip-go/ttlv"
)

const (
	maximumMessage = 1 << 20
	patience       = 200 * time.Second
)

// A carrier takes one message to the server and brings back the answer.
type carrier func(request ttlv.TTLV) (ttlv.TTLV, error)

// overTLS sends messages as they are, each on a connection of its own.
func overTLS(address string, config *tls.Config) carrier {
	return func(request ttlv.TTLV) (ttlv.TTLV, error) {
		connection, err := tls.Dial("tcp", address, config)
		if err != nil {
			return nil, err
		}
		defer connection.Close()
		if err := connection.SetDeadline(time.Now().Add(patience)); err != nil {
			return nil, err
		}
		if _, err := connection.Write(request); err != nil {
			return nil, err
		}
		answer := make(ttlv.TTLV, 8)
		if _, err := io.ReadFull(connection, answer); err != nil {
			return nil, err
		}
		if answer.Len() > maximumMessage {
			return nil, fmt.Errorf("an answer of %d bytes", answer.Len())
		}
		answer = append(answer, make([]byte, answer.FullLen()-len(answer))...)
		_, err = io.ReadFull(connection, answer[8:])
		return answer, err
	}
}

// overHTTPS posts messages in the encoding that the two functions are for.
func overHTTPS(address, media string, config *tls.Config, write func(any) ([]byte, error),
	read func([]byte, any) error,
) carrier {
	client := &http.Client{Timeout: patience, Transport: &http.Transport{TLSClientConfig: config}}
	return func(request ttlv.TTLV) (ttlv.TTLV, error) {
		body, err := write(request)
		if err != nil {
			return nil, err
		}
		post, err := http.NewRequest(http.MethodPost, "https://"+address+"/kmip", bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		post.Header.Set("Content-Type", media)
		post.Header.Set("Cache-Control", "no-cache")
		response, err := client.Do(post)
		if err != nil {
			return nil, err
		}
		defer response.Body.Close()
		body, err = io.ReadAll(io.LimitReader(response.Body, maximumMessage))
		if err != nil {
			return nil, err
		}
		if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != media {
			return nil, fmt.Errorf("%s, %s: %s", response.Status, response.Header.Get("Content-Type"), body)
		}
		var answer ttlv.TTLV
		return answer, read(body, &answer)
	}
}

func run() error {
	address := flag.String("address", "", "HOST:PORT of the server")
	https := flag.String("https", "", "HOST:PORT of the server for HTTPS")
	ca := flag.String("ca", "", "CA certificate")
	cert := flag.String("cert", "", "client certificate")
	key := flag.String("key", "", "client key")
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
	config := &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}}
	carriers := map[string]carrier{
		"TTLV": overTLS(*address, config),
		"XML":  overHTTPS(*https, "text/xml", config, xml.Marshal, xml.Unmarshal),
		"JSON": overHTTPS(*https, "application/json", config, json.Marshal, json.Unmarshal),
	}
	outcomes := make(map[string]*string)
	for encoding, carry := range carriers {
		for version, live := range lives {
			chapter := fmt.Sprintf("%s %s", encoding, version)
			outcomes[chapter] = nil
			stem := fmt.Sprintf("gemalto-%d-%s", os.Getpid(), chapter)
			if err := live(carry, stem); err != nil {
				text := err.Error()
				outcomes[chapter] = &text
			}
		}
	}
	return json.NewEncoder(os.Stdout).Encode(outcomes)
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "gemalto:", err)
		os.Exit(1)
	}
}
