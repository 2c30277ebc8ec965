package main

import (
	"fmt"
	"time"

	"github.com/gemalto/kmip-go"
	"github.com/gemalto/kmip-go/kmip14"
	"github.com/gemalto/kmip-go/kmip20"
	"github.com/gemalto/kmip-go/ttlv"
)

var lives = map[string]func(carry carrier, stem string) error{"1.4": live14, "2.0": live20}

// An item is a request of a batch; an answer what came back for it.
type (
	item struct {
		operation kmip14.Operation
		payload   any
	}
	answer struct {
		Operation       kmip14.Operation
		ResultStatus    kmip14.ResultStatus
		ResultReason    kmip14.ResultReason
		ResultMessage   string
		ResponsePayload ttlv.TTLV
	}
)

// ask sends a batch and returns its answers.
func ask(carry carrier, major, minor int, items ...item) ([]answer, error) {
	message := kmip.RequestMessage{RequestHeader: kmip.RequestHeader{
		ProtocolVersion: kmip.ProtocolVersion{ProtocolVersionMajor: major, ProtocolVersionMinor: minor},
		BatchCount:      len(items),
	}}
	for number, one := range items {
		message.BatchItem = append(message.BatchItem, kmip.RequestBatchItem{
			Operation: one.operation, UniqueBatchItemID: []byte{byte(number)}, RequestPayload: one.payload,
		})
	}
	request, err := ttlv.Marshal(message)
	if err != nil {
		return nil, err
	}
	raw, err := carry(request)
	if err != nil {
		return nil, err
	}
	if err := raw.Valid(); err != nil {
		return nil, err
	}
	var response struct {
		ResponseHeader kmip.ResponseHeader
		BatchItem      []answer
	}
	if err := ttlv.Unmarshal(raw, &response); err != nil {
		return nil, err
	}
	if len(response.BatchItem) != len(items) || response.ResponseHeader.BatchCount != len(items) {
		return nil, fmt.Errorf("%d answers to %d requests", len(response.BatchItem), len(items))
	}
	if time.Since(response.ResponseHeader.TimeStamp).Abs() > time.Hour {
		return nil, fmt.Errorf("the time of the answer is %s", response.ResponseHeader.TimeStamp)
	}
	return response.BatchItem, nil
}

// done sends one request and reads the payload of its answer.
func done(carry carrier, major, minor int, operation kmip14.Operation, payload, into any) error {
	answers, err := ask(carry, major, minor, item{operation, payload})
	if err != nil {
		return err
	}
	one := answers[0]
	if one.Operation != operation || one.ResultStatus != kmip14.ResultStatusSuccess {
		return fmt.Errorf("%s: %s, %s: %s", operation, one.ResultStatus, one.ResultReason, one.ResultMessage)
	}
	if err := ttlv.Unmarshal(one.ResponsePayload, into); err != nil {
		return fmt.Errorf("the answer to %s: %w", operation, err)
	}
	return nil
}

const use = kmip14.CryptographicUsageMaskEncrypt | kmip14.CryptographicUsageMaskDecrypt

type identified struct{ UniqueIdentifier string }

func live14(carry carrier, stem string) error {
	var made kmip.CreateResponsePayload
	create := kmip.CreateRequestPayload{ObjectType: kmip14.ObjectTypeSymmetricKey}
	create.TemplateAttribute.Append(kmip14.TagCryptographicAlgorithm, kmip14.CryptographicAlgorithmAES)
	create.TemplateAttribute.Append(kmip14.TagCryptographicLength, 256)
	create.TemplateAttribute.Append(kmip14.TagCryptographicUsageMask, use)
	create.TemplateAttribute.Append(kmip14.TagName, kmip.Name{
		NameValue: stem, NameType: kmip14.NameTypeUninterpretedTextString,
	})
	if err := done(carry, 1, 4, kmip14.OperationCreate, create, &made); err != nil {
		return err
	}
	id := made.UniqueIdentifier
	var attributes struct {
		UniqueIdentifier string
		Attribute        []kmip.Attribute
	}
	if err := done(carry, 1, 4, kmip14.OperationGetAttributes, identified{id}, &attributes); err != nil {
		return err
	}
	if len(attributes.Attribute) < 10 {
		return fmt.Errorf("it has %d attributes", len(attributes.Attribute))
	}
	var got kmip.GetResponsePayload
	if err := done(carry, 1, 4, kmip14.OperationGet, kmip.GetRequestPayload{UniqueIdentifier: id}, &got); err != nil {
		return err
	}
	if err := isKey(got.SymmetricKey); err != nil {
		return err
	}
	var destroyed kmip.DestroyResponsePayload
	err := done(carry, 1, 4, kmip14.OperationDestroy, kmip.DestroyRequestPayload{UniqueIdentifier: id}, &destroyed)
	if err == nil && destroyed.UniqueIdentifier != id {
		err = fmt.Errorf("%s was destroyed, not %s", destroyed.UniqueIdentifier, id)
	}
	if err != nil {
		return err
	}
	return missing(carry, 1, 4, item{kmip14.OperationGet, kmip.GetRequestPayload{UniqueIdentifier: stem}},
		kmip14.ResultReasonItemNotFound)
}

func live20(carry carrier, stem string) error {
	wanted := ttlv.Values{
		ttlv.NewValue(kmip14.TagCryptographicAlgorithm, kmip20.CryptographicAlgorithmAES),
		ttlv.NewValue(kmip14.TagCryptographicLength, 256),
		ttlv.NewValue(kmip14.TagCryptographicUsageMask, use),
		ttlv.NewStruct(kmip14.TagName,
			ttlv.NewValue(kmip14.TagNameValue, stem),
			ttlv.NewValue(kmip14.TagNameType, kmip14.NameTypeUninterpretedTextString)),
	}
	placeholder := &kmip20.UniqueIdentifierValue{Enum: kmip20.UniqueIdentifierIDPlaceholder}
	answers, err := ask(carry, 2, 0,
		item{kmip14.OperationCreate, kmip20.CreateRequestPayload{
			ObjectType: kmip20.ObjectTypeSymmetricKey, Attributes: kmip20.Attributes{Values: wanted}}},
		item{kmip14.OperationActivate, kmip20.ActivateRequestPayload{UniqueIdentifier: placeholder}},
		item{kmip14.OperationGet, kmip20.GetRequestPayload{UniqueIdentifier: placeholder}},
	)
	if err != nil {
		return err
	}
	for _, one := range answers {
		if one.ResultStatus != kmip14.ResultStatusSuccess {
			return fmt.Errorf("%s: %s: %s", one.Operation, one.ResultReason, one.ResultMessage)
		}
	}
	var got struct {
		UniqueIdentifier string
		SymmetricKey     *kmip.SymmetricKey
	}
	if err := ttlv.Unmarshal(answers[2].ResponsePayload, &got); err != nil {
		return err
	}
	if err := isKey(got.SymmetricKey); err != nil {
		return err
	}
	var found kmip20.LocateResponsePayload
	search := kmip20.LocateRequestPayload{Attributes: kmip20.Attributes{Values: wanted[3:]}}
	if err := done(carry, 2, 0, kmip14.OperationLocate, search, &found); err != nil {
		return err
	}
	if found.UniqueIdentifier != got.UniqueIdentifier {
		return fmt.Errorf("%s was found, not %s", found.UniqueIdentifier, got.UniqueIdentifier)
	}
	id := &kmip20.UniqueIdentifierValue{Text: got.UniqueIdentifier}
	var attributes struct {
		UniqueIdentifier string
		Attributes       ttlv.TTLV
	}
	ask := struct{ UniqueIdentifier *kmip20.UniqueIdentifierValue }{id}
	if err := done(carry, 2, 0, kmip14.OperationGetAttributes, ask, &attributes); err != nil {
		return err
	}
	count := 0
	for one := attributes.Attributes.ValueStructure(); len(one) > 0; one = one.Next() {
		count++
	}
	if count < 10 {
		return fmt.Errorf("it has %d attributes", count)
	}
	reason := kmip20.RevocationReason{RevocationReasonCode: kmip14.RevocationReasonCodeKeyCompromise}
	var changed identified
	for _, one := range []item{
		{kmip14.OperationRevoke, kmip20.RevokeRequestPayload{UniqueIdentifier: id, RevocationReason: reason}},
		{kmip14.OperationDestroy, kmip20.DestroyRequestPayload{UniqueIdentifier: id}},
	} {
		if err := done(carry, 2, 0, one.operation, one.payload, &changed); err != nil {
			return err
		}
	}
	nobody := &kmip20.UniqueIdentifierValue{Text: stem}
	return missing(carry, 2, 0, item{kmip14.OperationGet, kmip20.GetRequestPayload{UniqueIdentifier: nobody}},
		kmip14.ResultReason(kmip20.ResultReasonObjectNotFound))
}

func isKey(key *kmip.SymmetricKey) error {
	if key == nil || key.KeyBlock.KeyValue == nil {
		return fmt.Errorf("no key came back")
	}
	material, ok := key.KeyBlock.KeyValue.KeyMaterial.([]byte)
	if !ok || len(material) != 32 {
		return fmt.Errorf("the key is %T, %d bytes", key.KeyBlock.KeyValue.KeyMaterial, len(material))
	}
	return nil
}

// missing asks for what nobody has made, and returns nil if that is what the answer says.
func missing(carry carrier, major, minor int, one item, reason kmip14.ResultReason) error {
	answers, err := ask(carry, major, minor, one)
	if err != nil {
		return err
	}
	if answers[0].ResultStatus != kmip14.ResultStatusOperationFailed || answers[0].ResultReason != reason {
		return fmt.Errorf("what is missing was answered with %s, %s", answers[0].ResultStatus, answers[0].ResultReason)
	}
	return nil
}
