package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"

	"github.com/ovh/kmip-go"
	"github.com/ovh/kmip-go/kmipclient"
)

// activeKey creates a key of 256 bits for encryption and activates it.
func activeKey(client *kmipclient.Client, attributes ...kmip.Attribute) (string, error) {
	made, err := client.Create().AES(256, both).WithAttributes(attributes...).Exec()
	if err != nil {
		return "", err
	}
	_, err = client.Activate(made.UniqueIdentifier).Exec()
	return made.UniqueIdentifier, err
}

// negotiation connects with different ideas of what there is.
func negotiation(client *kmipclient.Client, stem string) error {
	if client.Version() != kmip.V1_4 {
		return fmt.Errorf("of 1.0 to 1.4, %s was chosen", client.Version())
	}
	older, err := where.connect(kmipclient.WithKmipVersions(kmip.V1_2, kmip.V1_3))
	if err != nil {
		return err
	}
	defer older.Close()
	if older.Version() != kmip.V1_3 {
		return fmt.Errorf("of 1.2 and 1.3, %s was chosen", older.Version())
	}
	another, err := older.Clone()
	if err != nil {
		return err
	}
	defer another.Close()
	_, err = another.Query().Operations().Exec()
	return err
}

// information asks every function of Query that the library knows.
func information(client *kmipclient.Client, stem string) error {
	told, err := client.Query().All().Exec()
	if err != nil {
		return err
	}
	if told.VendorIdentification == "" || len(told.Operations) == 0 || len(told.ObjectType) == 0 {
		return fmt.Errorf("Query leaves out something: %+v", told)
	}
	return nil
}

// encryption is with additional data and a tag, which decryption looks at.
func encryption(client *kmipclient.Client, stem string) error {
	key, err := activeKey(client)
	if err != nil {
		return err
	}
	plain, nonce, about := []byte("Hello World!"), make([]byte, 12), []byte("context")
	if _, err := rand.Read(nonce); err != nil {
		return err
	}
	sealed, err := client.Encrypt(key).WithCryptographicParameters(kmip.AES_GCM).WithIvCounterNonce(nonce).
		WithAAD(about).Data(plain).Exec()
	if err != nil {
		return err
	}
	if len(sealed.AuthenticatedEncryptionTag) != 16 {
		return fmt.Errorf("the tag has %d bytes", len(sealed.AuthenticatedEncryptionTag))
	}
	opened, err := client.Decrypt(key).WithCryptographicParameters(kmip.AES_GCM).WithIvCounterNonce(nonce).
		WithAAD(about).WithAuthTag(sealed.AuthenticatedEncryptionTag).Data(sealed.Data).Exec()
	if err == nil && !bytes.Equal(opened.Data, plain) {
		err = errors.New("something else was decrypted")
	}
	if err != nil {
		return err
	}
	sealed.AuthenticatedEncryptionTag[0] ^= 1
	_, err = client.Decrypt(key).WithCryptographicParameters(kmip.AES_GCM).WithIvCounterNonce(nonce).
		WithAAD(about).WithAuthTag(sealed.AuthenticatedEncryptionTag).Data(sealed.Data).Exec()
	return refused(err, "CryptographicFailure")
}

// defaultParameters leaves the parameters to the attributes of the key, and the nonce to the server.
func defaultParameters(client *kmipclient.Client, stem string) error {
	yes := true
	parameters := kmip.AES_GCM
	parameters.RandomIV = &yes
	key, err := activeKey(client, kmip.Attribute{
		AttributeName: kmip.AttributeNameCryptographicParameters, AttributeValue: parameters,
	})
	if err != nil {
		return err
	}
	plain := []byte("Hello World!")
	sealed, err := client.Encrypt(key).Data(plain).Exec()
	if err != nil {
		return err
	}
	opened, err := client.Decrypt(key).WithIvCounterNonce(sealed.IVCounterNonce).
		WithAuthTag(sealed.AuthenticatedEncryptionTag).Data(sealed.Data).Exec()
	if err == nil && !bytes.Equal(opened.Data, plain) {
		err = errors.New("something else was decrypted")
	}
	return err
}

// signatures signs through the library's crypto.Signer, and has Go verify.
func signatures(client *kmipclient.Client, stem string) error {
	message := []byte("hello world")
	digest256, digest512 := sha256.Sum256(message), sha512.Sum512(message)
	makers := map[string]kmipclient.ExecCreateKeyPairAttr{
		"RSA": client.CreateKeyPair().RSA(2048, kmip.CryptographicUsageSign, kmip.CryptographicUsageVerify),
		"P-256": client.CreateKeyPair().
			ECDSA(kmip.RecommendedCurveP_256, kmip.CryptographicUsageSign, kmip.CryptographicUsageVerify),
		"P-521": client.CreateKeyPair().
			ECDSA(kmip.RecommendedCurveP_521, kmip.CryptographicUsageSign, kmip.CryptographicUsageVerify),
	}
	for name, maker := range makers {
		pair, err := maker.Exec()
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		for _, id := range []string{pair.PrivateKeyUniqueIdentifier, pair.PublicKeyUniqueIdentifier} {
			if _, err := client.Activate(id).Exec(); err != nil {
				return err
			}
		}
		// Only one is given: the other one is found through its link.
		signer, err := client.Signer(context.Background(), pair.PrivateKeyUniqueIdentifier, "")
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		switch public := signer.Public().(type) {
		case *rsa.PublicKey:
			signature, err := signer.Sign(rand.Reader, digest256[:], crypto.SHA256)
			if err == nil {
				err = rsa.VerifyPKCS1v15(public, crypto.SHA256, digest256[:], signature)
			}
			if err != nil {
				return fmt.Errorf("PKCS#1 v1.5: %w", err)
			}
			options := &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA512}
			signature, err = signer.Sign(rand.Reader, digest512[:], options)
			if err == nil {
				err = rsa.VerifyPSS(public, crypto.SHA512, digest512[:], signature, options)
			}
			if err != nil {
				return fmt.Errorf("PSS: %w", err)
			}
		case *ecdsa.PublicKey:
			signature, err := signer.Sign(rand.Reader, digest256[:], crypto.SHA256)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			if !ecdsa.VerifyASN1(public, digest256[:], signature) {
				return fmt.Errorf("%s: Go says that the signature is not valid", name)
			}
		default:
			return fmt.Errorf("%s: the public key is a %T", name, public)
		}
	}
	return verification(client)
}

// verification has the server verify what it signed.
func verification(client *kmipclient.Client) error {
	pair, err := client.CreateKeyPair().
		RSA(2048, kmip.CryptographicUsageSign, kmip.CryptographicUsageVerify).Exec()
	if err != nil {
		return err
	}
	for _, id := range []string{pair.PrivateKeyUniqueIdentifier, pair.PublicKeyUniqueIdentifier} {
		if _, err := client.Activate(id).Exec(); err != nil {
			return err
		}
	}
	parameters := kmip.CryptographicParameters{
		PaddingMethod:             kmip.PaddingMethodPKCS1V1_5,
		HashingAlgorithm:          kmip.HashingAlgorithmSHA_256,
		DigitalSignatureAlgorithm: kmip.DigitalSignatureAlgorithmSHA_256WithRSAEncryption,
		CryptographicAlgorithm:    kmip.CryptographicAlgorithmRSA,
	}
	signed, err := client.Sign(pair.PrivateKeyUniqueIdentifier).
		WithCryptographicParameters(parameters).Data([]byte("foobar")).Exec()
	if err != nil {
		return err
	}
	for data, wanted := range map[string]kmip.ValidityIndicator{
		"foobar": kmip.ValidityIndicatorValid, "another": kmip.ValidityIndicatorInvalid,
	} {
		verified, err := client.SignatureVerify(pair.PublicKeyUniqueIdentifier).
			WithCryptographicParameters(parameters).Data([]byte(data)).Signature(signed.SignatureData).Exec()
		if err != nil {
			return err
		}
		if verified.ValidityIndicator != wanted {
			return fmt.Errorf("a signature of %q is %d", data, verified.ValidityIndicator)
		}
	}
	return nil
}
