// Command openbao seals and unseals as OpenBao does, with its own wrapper for KMIP, by two wrappers: as before
// and after a restart. Its settings are a `seal` block of OpenBao's configuration; the key and the mechanism
// in it can be replaced.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"regexp"

	wrapping "github.com/openbao/go-kms-wrapping/v2"
	wrapper "github.com/openbao/go-kms-wrapping/wrappers/kmip/v2"
)

var setting = regexp.MustCompile(`(?m)^\s*(\w+)\s*=\s*"(.*)"$`)

// settings returns what stands in a block of the configuration.
func settings(path string) (map[string]string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	values := make(map[string]string)
	for _, found := range setting.FindAllSubmatch(text, -1) {
		values[string(found[1])] = string(found[2])
	}
	return values, nil
}

// started returns a wrapper as OpenBao configures it when it starts.
func started(values map[string]string) (*wrapper.Wrapper, error) {
	made := wrapper.NewWrapper()
	_, err := made.SetConfig(context.Background(), wrapping.WithDisallowEnvVars(true), wrapping.WithConfigMap(values))
	return made, err
}

func run() error {
	path := flag.String("config", "", "file with a seal block")
	key := flag.String("key", "", "Unique Identifier of the key")
	mechanism := flag.String("mechanism", "", "another mechanism than the block says")
	flag.Parse()

	values, err := settings(*path)
	if err != nil {
		return err
	}
	values["kms_key_id"] = *key
	if *mechanism != "" {
		values["encrypt_alg"] = *mechanism
	}
	secret, ctx := []byte("the root key of a vault"), context.Background()
	before, err := started(values)
	if err != nil {
		return err
	}
	sealed, err := before.Encrypt(ctx, secret)
	if err != nil {
		return err
	}
	after, err := started(values)
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

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "openbao:", err)
		os.Exit(1)
	}
}
