package main

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/ovh/kmip-go"
	"github.com/ovh/kmip-go/kmipclient"
)

const (
	both         = kmip.CryptographicUsageEncrypt | kmip.CryptographicUsageDecrypt
	wrapsUnwraps = kmip.CryptographicUsageWrapKey | kmip.CryptographicUsageUnwrapKey
)

// formats registers keys in each form that the library writes and compares what comes back with the key.
func formats(client *kmipclient.Client, stem string) error {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	for _, format := range []kmipclient.KeyFormat{kmipclient.PKCS1, kmipclient.PKCS8, kmipclient.Transparent} {
		made, err := client.Register().WithKeyFormat(format).RsaPrivateKey(private, kmip.CryptographicUsageSign).Exec()
		if err != nil {
			return fmt.Errorf("RSA private key, format %d: %w", format, err)
		}
		got, err := client.Get(made.UniqueIdentifier).Exec()
		if err != nil {
			return err
		}
		key, err := got.RsaPrivateKey()
		if err != nil || !key.Equal(private) {
			return fmt.Errorf("RSA private key, format %d: another key came back (%w)", format, err)
		}
	}
	for _, format := range []kmipclient.KeyFormat{kmipclient.PKCS1, kmipclient.X509, kmipclient.Transparent} {
		made, err := client.Register().WithKeyFormat(format).
			RsaPublicKey(&private.PublicKey, kmip.CryptographicUsageVerify).Exec()
		if err != nil {
			return fmt.Errorf("RSA public key, format %d: %w", format, err)
		}
		got, err := client.Get(made.UniqueIdentifier).Exec()
		if err != nil {
			return err
		}
		key, err := got.RsaPublicKey()
		if err != nil || !key.Equal(&private.PublicKey) {
			return fmt.Errorf("RSA public key, format %d: another key came back (%w)", format, err)
		}
	}
	for _, curve := range []elliptic.Curve{elliptic.P224(), elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		if err := curveFormats(client, curve); err != nil {
			return fmt.Errorf("%s: %w", curve.Params().Name, err)
		}
	}
	return nil
}

func curveFormats(client *kmipclient.Client, curve elliptic.Curve) error {
	private, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		return err
	}
	for _, format := range []kmipclient.KeyFormat{kmipclient.SEC1, kmipclient.PKCS8, kmipclient.Transparent} {
		made, err := client.Register().WithKeyFormat(format).EcdsaPrivateKey(private, kmip.CryptographicUsageSign).Exec()
		if err != nil {
			return fmt.Errorf("private key, format %d: %w", format, err)
		}
		got, err := client.Get(made.UniqueIdentifier).Exec()
		if err != nil {
			return err
		}
		key, err := got.EcdsaPrivateKey()
		if err != nil || !key.Equal(private) {
			return fmt.Errorf("private key, format %d: another key came back (%w)", format, err)
		}
	}
	for _, format := range []kmipclient.KeyFormat{kmipclient.X509, kmipclient.Transparent} {
		made, err := client.Register().WithKeyFormat(format).
			EcdsaPublicKey(&private.PublicKey, kmip.CryptographicUsageVerify).Exec()
		if err != nil {
			return fmt.Errorf("public key, format %d: %w", format, err)
		}
		got, err := client.Get(made.UniqueIdentifier).Exec()
		if err != nil {
			return err
		}
		key, err := got.EcdsaPublicKey()
		if err != nil || !key.Equal(&private.PublicKey) {
			return fmt.Errorf("public key, format %d: another key came back (%w)", format, err)
		}
	}
	return nil
}

// kinds registers every type of object that the library can write.
func kinds(client *kmipclient.Client, stem string) error {
	certificate, err := selfSigned()
	if err != nil {
		return err
	}
	material := []byte("sixteen bytes...")
	objects := []struct {
		kind string
		call kmipclient.ExecRegister
	}{
		{"certificate", client.Register().Certificate(kmip.CertificateTypeX_509, certificate)},
		{"secret", client.Register().SecretString(kmip.SecretDataTypePassword, "hello")},
		{"raw key", client.Register().WithKeyFormat(kmipclient.RAW).
			SymmetricKey(kmip.CryptographicAlgorithmAES, both, material)},
		{"transparent key", client.Register().WithKeyFormat(kmipclient.Transparent).
			SymmetricKey(kmip.CryptographicAlgorithmAES, both, material)},
		{"opaque", client.Register().Object(&kmip.OpaqueObject{
			OpaqueDataType: kmip.OpaqueDataType(0x80000001), OpaqueDataValue: material})},
		{"split key", client.Register().Object(&kmip.SplitKey{
			SplitKeyParts: 2, KeyPartIdentifier: 1, SplitKeyThreshold: 2, SplitKeyMethod: kmip.SplitKeyMethodXOR,
			KeyBlock: block(material)})},
	}
	for _, object := range objects {
		made, err := object.call.WithName(stem + " " + object.kind).Exec()
		if err != nil {
			return fmt.Errorf("%s: %w", object.kind, err)
		}
		got, err := client.Get(made.UniqueIdentifier).Exec()
		if err != nil {
			return fmt.Errorf("%s: %w", object.kind, err)
		}
		if err := sameValue(object.kind, got.Object, certificate, material); err != nil {
			return err
		}
		if _, err := client.GetAttributes(made.UniqueIdentifier).Exec(); err != nil {
			return fmt.Errorf("attributes of the %s: %w", object.kind, err)
		}
	}
	return template(client, stem)
}

func sameValue(kind string, object kmip.Object, certificate, material []byte) error {
	var value, wanted []byte
	var err error
	switch object := object.(type) {
	case *kmip.Certificate:
		value, wanted = object.CertificateValue, certificate
	case *kmip.SecretData:
		value, err = object.Data()
		wanted = []byte("hello")
	case *kmip.SymmetricKey:
		value, err = object.KeyMaterial()
		wanted = material
	case *kmip.OpaqueObject:
		value, wanted = object.OpaqueDataValue, material
	case *kmip.SplitKey:
		value, err = object.KeyBlock.GetBytes()
		wanted = material
	}
	if err != nil || wanted == nil || !bytes.Equal(value, wanted) {
		return fmt.Errorf("the %s came back as %T with %x (%w)", kind, object, value, err)
	}
	return nil
}

// template makes a key after a template, which gives it a date.
func template(client *kmipclient.Client, stem string) error {
	name, tomorrow := stem+" template", time.Now().AddDate(0, 0, 1).Round(time.Second)
	if _, err := client.Register().Object(&kmip.Template{Attribute: []kmip.Attribute{
		{AttributeName: kmip.AttributeNameActivationDate, AttributeValue: tomorrow},
	}}).WithName(name).Exec(); err != nil {
		return fmt.Errorf("template: %w", err)
	}
	made, err := client.Create().AES(128, both).WithTemplate(name, kmip.NameTypeUninterpretedTextString).Exec()
	if err != nil {
		return fmt.Errorf("a key after a template: %w", err)
	}
	date, err := value[time.Time](client, made.UniqueIdentifier, kmip.AttributeNameActivationDate)
	if err == nil && !date.Equal(tomorrow) {
		err = fmt.Errorf("the Activation Date of the template is %s, that of the key %s", tomorrow, date)
	}
	return err
}

// wrapping fetches keys wrapped, gives them back wrapped, and compares what they are by then.
func wrapping(client *kmipclient.Client, stem string) error {
	wrapper, err := client.Create().AES(256, wrapsUnwraps).Exec()
	if err != nil {
		return err
	}
	if _, err := client.Activate(wrapper.UniqueIdentifier).Exec(); err != nil {
		return err
	}
	specification := kmip.KeyWrappingSpecification{
		WrappingMethod: kmip.WrappingMethodEncrypt,
		EncryptionKeyInformation: &kmip.EncryptionKeyInformation{
			UniqueIdentifier: wrapper.UniqueIdentifier,
			CryptographicParameters: &kmip.CryptographicParameters{
				BlockCipherMode:        kmip.BlockCipherModeNISTKeyWrap,
				CryptographicAlgorithm: kmip.CryptographicAlgorithmAES,
			},
		},
		EncodingOption: kmip.EncodingOptionNoEncoding,
	}
	key, err := client.Create().AES(256, both).Exec()
	if err != nil {
		return err
	}
	plain, err := client.Get(key.UniqueIdentifier).Exec()
	if err != nil {
		return err
	}
	wrapped, err := client.Get(key.UniqueIdentifier).WithKeyWrapping(specification).Exec()
	if err != nil {
		return fmt.Errorf("a wrapped key: %w", err)
	}
	again, err := client.Register().Object(wrapped.Object).
		WithAttribute(kmip.AttributeNameCryptographicUsageMask, both).Exec()
	if err != nil {
		return fmt.Errorf("registering it as it came: %w", err)
	}
	unwrapped, err := client.Get(again.UniqueIdentifier).WithKeyWrapType(kmip.NotWrapped).Exec()
	if err != nil {
		return fmt.Errorf("its plain form: %w", err)
	}
	one, err := plain.SymmetricKey()
	if err != nil {
		return err
	}
	other, err := unwrapped.SymmetricKey()
	if err == nil && !bytes.Equal(one, other) {
		err = errors.New("a key that was wrapped and unwrapped is another one")
	}
	if err != nil {
		return err
	}
	pair, err := client.CreateKeyPair().
		ECDSA(kmip.RecommendedCurveP_256, kmip.CryptographicUsageSign, kmip.CryptographicUsageVerify).Exec()
	if err != nil {
		return err
	}
	// It is made in a transparent format, a structure.
	specification.EncodingOption = kmip.EncodingOptionTTLVEncoding
	_, err = client.Get(pair.PrivateKeyUniqueIdentifier).WithKeyWrapping(specification).Exec()
	return err
}

func block(material []byte) kmip.KeyBlock {
	return kmip.KeyBlock{
		KeyFormatType:          kmip.KeyFormatTypeRaw,
		CryptographicAlgorithm: kmip.CryptographicAlgorithmAES,
		CryptographicLength:    int32(8 * len(material)),
		KeyValue:               &kmip.KeyValue{Plain: &kmip.PlainKeyValue{KeyMaterial: kmip.KeyMaterial{Bytes: &material}}},
	}
}

func selfSigned() ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	about := x509.Certificate{
		SerialNumber:   big.NewInt(time.Now().UnixNano()),
		Subject:        pkix.Name{CommonName: "interop", Organization: []string{"Strongroom"}, Country: []string{"NO"}},
		DNSNames:       []string{"interop.example"},
		EmailAddresses: []string{"interop@example.org"},
		NotBefore:      time.Now().Add(-time.Hour),
		NotAfter:       time.Now().AddDate(1, 0, 0),
		KeyUsage:       x509.KeyUsageDigitalSignature,
	}
	return x509.CreateCertificate(rand.Reader, &about, &about, key.Public().(crypto.PublicKey), key)
}
