// Command ovh uses a key manager through github.com/ovh/kmip-go, the library of OVHcloud's tools and of OpenBao.
// Each chapter is one use of it; what became of each is printed as one JSON object, from the chapter's name to
// an error, or to nothing where all went well.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"

	"github.com/ovh/kmip-go"
	"github.com/ovh/kmip-go/kmipclient"
)

// A chapter uses a client and returns what went wrong. Names begin with the stem, since they are unique.
type chapter func(client *kmipclient.Client, stem string) error

var chapters = map[string]chapter{
	"attributes are read strictly":       attributes,
	"batches pass the object on":         batches,
	"custom attributes of every type":    customAttributes,
	"data comes back, unless altered":    encryption,
	"dates decide the state":             dates,
	"every kind of object comes back":    kinds,
	"keys come back as registered":       formats,
	"keys are replaced":                  replacement,
	"keys travel wrapped":                wrapping,
	"objects are found":                  finding,
	"objects leave and come back":        archive,
	"parameters of the key are used":     defaultParameters,
	"refusals have a reason":             refusals,
	"signatures are Go's own":            signatures,
	"the server tells what it is":        information,
	"usage limits are handed out":        usageLimits,
	"version 1.0 from Create to Destroy": lifeCycle,
	"version 1.1 from Create to Destroy": lifeCycle,
	"version 1.2 from Create to Destroy": lifeCycle,
	"version 1.3 from Create to Destroy": lifeCycle,
	"version 1.4 from Create to Destroy": lifeCycle,
	"versions are agreed on":             negotiation,
}

// files say where the server is, and who we are.
type files struct{ address, ca, cert, key string }

func (f files) connect(options ...kmipclient.Option) (*kmipclient.Client, error) {
	options = append(options,
		kmipclient.WithRootCAFile(f.ca), kmipclient.WithClientCertFiles(f.cert, f.key))
	return kmipclient.Dial(f.address, options...)
}

var where files

// play runs a chapter on a connection of its own, in the version that its name begins with.
func play(name string, number int) (err error) {
	var options []kmipclient.Option
	for _, version := range []kmip.ProtocolVersion{kmip.V1_0, kmip.V1_1, kmip.V1_2, kmip.V1_3, kmip.V1_4} {
		if strings.HasPrefix(name, "version "+version.String()) {
			options = append(options, kmipclient.EnforceVersion(version))
		}
	}
	client, err := where.connect(options...)
	if err != nil {
		return err
	}
	defer client.Close()
	return chapters[name](client, fmt.Sprintf("ovh-%d-%d", os.Getpid(), number))
}

func main() {
	flag.StringVar(&where.address, "address", "", "HOST:PORT of the server")
	flag.StringVar(&where.ca, "ca", "", "CA certificate")
	flag.StringVar(&where.cert, "cert", "", "client certificate")
	flag.StringVar(&where.key, "key", "", "client key")
	flag.Parse()

	outcomes := make(map[string]*string)
	number := 0
	for name := range chapters {
		number++
		outcomes[name] = nil
		if err := play(name, number); err != nil {
			text := err.Error()
			outcomes[name] = &text
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(outcomes); err != nil {
		fmt.Fprintln(os.Stderr, "ovh:", err)
		os.Exit(1)
	}
}
