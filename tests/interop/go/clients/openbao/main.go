// Command openbao seals and unseals as OpenBao does, with its own wrapper for KMIP: once with each mechanism
// that it knows, each time by two wrappers, as before and after a restart. What became of each is printed as
// one JSON object, from the mechanism to an error, or to nothing where all went well.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"

	wrapping "github.com/openbao/go-kms-wrapping/v2"
	wrapper "github.com/openbao/go-kms-wrapping/wrappers/kmip/v2"
	"github.com/ovh/kmip-go"
	"github.com/ovh/kmip-go/kmipclient"
)

var mechanisms = []string{"AES_GCM", "RSA_OAEP_SHA256", "RSA_OAEP_SHA384", "RSA_OAEP_SHA512"}

// files say where the server is, and who we are.
type files struct{ address, ca, cert, key string }

// keys makes what an administrator makes for a vault: an AES key, and a key pair, of which the private key counts.
func (f files) keys() (symmetric, private string, err error) {
	client, err := kmipclient.Dial(f.address,
		kmipclient.WithRootCAFile(f.ca), kmipclient.WithClientCertFiles(f.cert, f.key))
	if err != nil {
		return "", "", err
	}
	defer client.Close()
	key, err := client.Create().AES(256, kmip.CryptographicUsageEncrypt|kmip.CryptographicUsageDecrypt).Exec()
	if err != nil {
		return "", "", err
	}
	pair, err := client.CreateKeyPair().
		RSA(2048, kmip.CryptographicUsageDecrypt, kmip.CryptographicUsageEncrypt).Exec()
	if err != nil {
		return "", "", err
	}
	for _, id := range []string{key.UniqueIdentifier, pair.PrivateKeyUniqueIdentifier, pair.PublicKeyUniqueIdentifier} {
		if _, err := client.Activate(id).Exec(); err != nil {
			return "", "", err
		}
	}
	return key.UniqueIdentifier, pair.PrivateKeyUniqueIdentifier, nil
}

// started returns a wrapper as OpenBao configures it when it starts.
func (f files) started(key, mechanism string) (*wrapper.Wrapper, error) {
	made := wrapper.NewWrapper()
	_, err := made.SetConfig(context.Background(), wrapping.WithDisallowEnvVars(true), wrapping.WithConfigMap(
		map[string]string{
			"kms_key_id": key, "endpoint": f.address, "encrypt_alg": mechanism,
			"ca_cert": f.ca, "client_cert": f.cert, "client_key": f.key,
		}))
	return made, err
}

func (f files) seal(key, mechanism string) error {
	secret, ctx := []byte("the root key of a vault"), context.Background()
	before, err := f.started(key, mechanism)
	if err != nil {
		return err
	}
	sealed, err := before.Encrypt(ctx, secret)
	if err != nil {
		return err
	}
	after, err := f.started(key, mechanism)
	if err != nil {
		return err
	}
	opened, err := after.Decrypt(ctx, sealed)
	if err != nil {
		return err
	}
	if !bytes.Equal(opened, secret) {
		return errors.New("something else was unsealed")
	}
	sealed.Ciphertext[0] ^= 1
	if _, err := after.Decrypt(ctx, sealed); err == nil {
		return errors.New("what was altered is unsealed")
	}
	return nil
}

func run() error {
	var where files
	flag.StringVar(&where.address, "address", "", "HOST:PORT of the server")
	flag.StringVar(&where.ca, "ca", "", "CA certificate")
	flag.StringVar(&where.cert, "cert", "", "client certificate")
	flag.StringVar(&where.key, "key", "", "client key")
	flag.Parse()

	symmetric, private, err := where.keys()
	if err != nil {
		return err
	}
	outcomes := make(map[string]*string)
	for _, mechanism := range mechanisms {
		key := private
		if strings.HasPrefix(mechanism, "AES") {
			key = symmetric
		}
		outcomes[mechanism] = nil
		if err := where.seal(key, mechanism); err != nil {
			text := err.Error()
			outcomes[mechanism] = &text
		}
	}
	return json.NewEncoder(os.Stdout).Encode(outcomes)
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "openbao:", err)
		os.Exit(1)
	}
}
