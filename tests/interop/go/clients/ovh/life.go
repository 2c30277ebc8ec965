package main

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/ovh/kmip-go"
	"github.com/ovh/kmip-go/kmipclient"
	"github.com/ovh/kmip-go/payloads"
	"github.com/ovh/kmip-go/ttlv"
)

// value returns the one value of an attribute, as the type that the library gives it.
func value[T any](client *kmipclient.Client, id string, name kmip.AttributeName) (T, error) {
	var nothing T
	got, err := client.GetAttributes(id, name).Exec()
	if err != nil {
		return nothing, err
	}
	if len(got.Attribute) != 1 {
		return nothing, fmt.Errorf("%s has %d values", name, len(got.Attribute))
	}
	typed, ok := got.Attribute[0].AttributeValue.(T)
	if !ok {
		return nothing, fmt.Errorf("%s is a %T", name, got.Attribute[0].AttributeValue)
	}
	return typed, nil
}

func inState(client *kmipclient.Client, id string, wanted kmip.State) error {
	state, err := value[kmip.State](client, id, kmip.AttributeNameState)
	if err == nil && state != wanted {
		err = fmt.Errorf("the state is %d, not %d", state, wanted)
	}
	return err
}

// refused returns an error unless there is one that names the reason.
func refused(err error, reason string) error {
	if err == nil {
		return fmt.Errorf("done, where %s was due", reason)
	}
	if !strings.Contains(err.Error(), `reason="`+reason+`"`) {
		return fmt.Errorf("not refused for %s: %w", reason, err)
	}
	return nil
}

// lifeCycle takes a key from Create to Destroy.
func lifeCycle(client *kmipclient.Client, stem string) error {
	made, err := client.Create().AES(256, both).WithName(stem).Exec()
	if err != nil {
		return err
	}
	id := made.UniqueIdentifier
	if err := inState(client, id, kmip.StatePreActive); err != nil {
		return err
	}
	if activated, err := client.Activate(id).Exec(); err != nil || activated.UniqueIdentifier != id {
		return fmt.Errorf("Activate: %+v, %w", activated, err)
	}
	got, err := client.Get(id).Exec()
	if err != nil {
		return err
	}
	if key, err := got.SymmetricKey(); err != nil || len(key) != 32 {
		return fmt.Errorf("Get: %d bytes, %w", len(key), err)
	}
	if _, err := client.Revoke(id).WithRevocationReasonCode(kmip.RevocationReasonCodeKeyCompromise).Exec(); err != nil {
		return err
	}
	if err := inState(client, id, kmip.StateCompromised); err != nil {
		return err
	}
	if _, err := client.Destroy(id).Exec(); err != nil {
		return err
	}
	return inState(client, id, kmip.StateDestroyedCompromised)
}

// attributes asks for all there are: the library takes none that is not of its type.
func attributes(client *kmipclient.Client, stem string) error {
	pair, err := client.CreateKeyPair().
		RSA(2048, kmip.CryptographicUsageSign, kmip.CryptographicUsageVerify).
		PrivateKey().WithName(stem + " private").PublicKey().WithName(stem + " public").Exec()
	if err != nil {
		return err
	}
	key, err := activeKey(client)
	if err != nil {
		return err
	}
	for _, id := range []string{key, pair.PrivateKeyUniqueIdentifier, pair.PublicKeyUniqueIdentifier} {
		listed, err := client.GetAttributeList(id).Exec()
		if err != nil {
			return err
		}
		got, err := client.GetAttributes(id).Exec()
		if err != nil {
			return err
		}
		for _, one := range got.Attribute {
			if !slices.Contains(listed.AttributeName, one.AttributeName) {
				return fmt.Errorf("%s is not in the list", one.AttributeName)
			}
		}
		for _, name := range []kmip.AttributeName{
			kmip.AttributeNameState, kmip.AttributeNameDigest, kmip.AttributeNameInitialDate,
			kmip.AttributeNameCryptographicLength, kmip.AttributeNameObjectType,
		} {
			if !slices.Contains(listed.AttributeName, name) {
				return fmt.Errorf("%s is missing in the list", name)
			}
		}
	}
	return nil
}

// customAttributes adds, reads, changes and deletes a value of each type.
func customAttributes(client *kmipclient.Client, stem string) error {
	made, err := client.Create().AES(256, both).Exec()
	if err != nil {
		return err
	}
	id := made.UniqueIdentifier
	now := time.Now().Round(time.Second)
	values := map[kmip.AttributeName][2]any{
		"x-text":  {"one", "two"},
		"x-int":   {int32(1), int32(-2)},
		"x-long":  {int64(1) << 40, int64(-1) << 40},
		"x-bool":  {true, false},
		"x-bytes": {[]byte("one"), []byte("two")},
		"x-date":  {now, now.Add(time.Hour)},
		"x-span":  {time.Minute, time.Hour},
	}
	for name, both := range values {
		if _, err := client.AddAttribute(id, name, both[0]).Exec(); err != nil {
			return fmt.Errorf("adding %s: %w", name, err)
		}
		if _, err := client.ModifyAttribute(id, name, both[1]).Exec(); err != nil {
			return fmt.Errorf("changing %s: %w", name, err)
		}
		got, err := client.GetAttributes(id, name).Exec()
		if err != nil || len(got.Attribute) != 1 {
			return fmt.Errorf("reading %s: %+v, %w", name, got, err)
		}
		read := got.Attribute[0].AttributeValue
		switch typed := read.(type) {
		case time.Time:
			read = typed.Local()
		case ttlv.Value:
			read = typed.Value
		}
		if !reflect.DeepEqual(read, both[1]) {
			return fmt.Errorf("%s is %v (%T), not %v", name, read, read, both[1])
		}
		found, err := client.Locate().WithAttribute(name, both[1]).Exec()
		if err != nil || !slices.Contains(found.UniqueIdentifier, id) {
			return fmt.Errorf("not found by %s: %w", name, err)
		}
		if _, err := client.DeleteAttribute(id, name).Exec(); err != nil {
			return fmt.Errorf("deleting %s: %w", name, err)
		}
	}
	return nil
}

// dates has keys begin and end by the dates that they are given.
func dates(client *kmipclient.Client, stem string) error {
	now := time.Now()
	yesterday, nextYear := now.AddDate(0, 0, -1), now.AddDate(1, 0, 0)
	made, err := client.Create().AES(256, both).WithAttribute(kmip.AttributeNameActivationDate, nextYear).Exec()
	if err != nil {
		return err
	}
	id := made.UniqueIdentifier
	if err := inState(client, id, kmip.StatePreActive); err != nil {
		return err
	}
	if _, err := client.ModifyAttribute(id, kmip.AttributeNameActivationDate, yesterday).Exec(); err != nil {
		return err
	}
	if err := inState(client, id, kmip.StateActive); err != nil {
		return err
	}
	// A date in the past, earlier than the one of its activation.
	if _, err := client.AddAttribute(id, kmip.AttributeNameDeactivationDate, yesterday.AddDate(0, 0, -1)).Exec(); err != nil {
		return err
	}
	return inState(client, id, kmip.StateDeactivated)
}

// batches use the ID Placeholder from item to item.
func batches(client *kmipclient.Client, stem string) error {
	results, err := client.Create().AES(256, both).WithName(stem).
		Then(func(client *kmipclient.Client) kmipclient.PayloadBuilder { return client.Activate("") }).
		Then(func(client *kmipclient.Client) kmipclient.PayloadBuilder { return client.Revoke("") }).
		Then(func(client *kmipclient.Client) kmipclient.PayloadBuilder { return client.Destroy("") }).
		Exec()
	if err != nil {
		return err
	}
	answers, err := results.Unwrap()
	if err != nil {
		return err
	}
	destroyed, ok := answers[3].(*payloads.DestroyResponsePayload)
	if !ok || destroyed.UniqueIdentifier != answers[0].(*payloads.CreateResponsePayload).UniqueIdentifier {
		return fmt.Errorf("the batch ended with %+v", answers[3])
	}
	results, err = client.Locate().WithName(stem + " nobody").
		Then(func(client *kmipclient.Client) kmipclient.PayloadBuilder { return client.Get("") }).
		Exec(kmipclient.OnBatchErr(kmip.BatchErrorContinuationOptionContinue))
	if err != nil {
		return err
	}
	_, err = results.Unwrap()
	return refused(err, "ItemNotFound")
}

// finding looks for keys by their attributes, by a range of dates, and page by page.
func finding(client *kmipclient.Client, stem string) error {
	soon, later, muchLater := time.Now().Add(time.Hour), time.Now().Add(2*time.Hour), time.Now().Add(9*time.Hour)
	var made []string
	for number, date := range []time.Time{soon, later, muchLater} {
		key, err := client.Create().AES(256, both).WithName(fmt.Sprintf("%s %d", stem, number)).
			WithAttribute(kmip.AttributeNameObjectGroup, stem).
			WithAttribute(kmip.AttributeNameProcessStartDate, date).Exec()
		if err != nil {
			return err
		}
		made = append(made, key.UniqueIdentifier)
	}
	group := func() kmipclient.ExecLocate {
		return client.Locate().WithAttribute(kmip.AttributeNameObjectGroup, stem)
	}
	searches := []struct {
		what   string
		search kmipclient.ExecLocate
		wanted []string
	}{
		{"a name", client.Locate().WithName(stem + " 1"), made[1:2]},
		{"another name", client.Locate().WithName(stem + " 3"), nil},
		{"a type", group().WithObjectType(kmip.ObjectTypeSymmetricKey), made},
		{"another type", group().WithObjectType(kmip.ObjectTypePrivateKey), nil},
		{"a range", group().WithAttribute(kmip.AttributeNameProcessStartDate, soon.Add(-time.Minute)).
			WithAttribute(kmip.AttributeNameProcessStartDate, later.Add(time.Minute)), made[:2]},
	}
	for _, one := range searches {
		found, err := one.search.Exec()
		if err != nil {
			return fmt.Errorf("%s: %w", one.what, err)
		}
		slices.Sort(found.UniqueIdentifier)
		wanted := slices.Sorted(slices.Values(one.wanted))
		if !slices.Equal(found.UniqueIdentifier, wanted) {
			return fmt.Errorf("by %s: %v, not %v", one.what, found.UniqueIdentifier, wanted)
		}
	}
	var paged []string
	for offset := range int32(3) {
		page, err := group().WithMaxItems(1).WithOffset(offset).Exec()
		if err != nil || len(page.UniqueIdentifier) != 1 {
			return fmt.Errorf("page %d: %+v, %w", offset, page, err)
		}
		paged = append(paged, page.UniqueIdentifier[0])
	}
	slices.Sort(paged)
	if !slices.Equal(paged, slices.Sorted(slices.Values(made))) {
		return fmt.Errorf("three pages gave %v of %v", paged, made)
	}
	return nil
}

// archive takes a key off-line and back.
func archive(client *kmipclient.Client, stem string) error {
	key, err := activeKey(client)
	if err != nil {
		return err
	}
	if _, err := client.Archive(key).Exec(); err != nil {
		return err
	}
	_, err = client.Get(key).Exec()
	if err := refused(err, "Objectarchived"); err != nil {
		return err
	}
	if _, err := client.Recover(key).Exec(); err != nil {
		return err
	}
	if _, err := client.ObtainLease(key).Exec(); err != nil {
		return err
	}
	_, err = client.Get(key).Exec()
	return err
}

// replacement replaces a key and a pair; old and new are linked.
func replacement(client *kmipclient.Client, stem string) error {
	key, err := activeKey(client)
	if err != nil {
		return err
	}
	next, err := client.Rekey(key).Exec()
	if err != nil {
		return err
	}
	link, err := value[kmip.Link](client, key, kmip.AttributeNameLink)
	if err != nil {
		return err
	}
	if link.LinkType != kmip.LinkTypeReplacementObjectLink || link.LinkedObjectIdentifier != next.UniqueIdentifier {
		return fmt.Errorf("the old key is linked to %+v", link)
	}
	pair, err := client.CreateKeyPair().
		RSA(2048, kmip.CryptographicUsageSign, kmip.CryptographicUsageVerify).Exec()
	if err != nil {
		return err
	}
	renewed, err := client.RekeyKeyPair(pair.PrivateKeyUniqueIdentifier).Exec()
	if err != nil {
		return err
	}
	if renewed.PrivateKeyUniqueIdentifier == pair.PrivateKeyUniqueIdentifier {
		return fmt.Errorf("the private key was not replaced")
	}
	return nil
}

// usageLimits hands out what a key may still be used for.
func usageLimits(client *kmipclient.Client, stem string) error {
	made, err := client.Create().AES(256, both).WithUsageLimit(10, kmip.UsageLimitsUnitObject).Exec()
	if err != nil {
		return err
	}
	id := made.UniqueIdentifier
	if _, err := client.Activate(id).Exec(); err != nil {
		return err
	}
	if _, err := client.GetUsageAllocation(id, 7).Exec(); err != nil {
		return err
	}
	limits, err := value[kmip.UsageLimits](client, id, kmip.AttributeNameUsageLimits)
	if err != nil {
		return err
	}
	if limits.UsageLimitsTotal != 10 || limits.UsageLimitsCount == nil || *limits.UsageLimitsCount != 3 {
		return fmt.Errorf("seven of ten were taken, and %+v is left", limits)
	}
	_, err = client.GetUsageAllocation(id, 4).Exec()
	return refused(err, "PermissionDenied")
}

// refusals are read as what they are.
func refusals(client *kmipclient.Client, stem string) error {
	_, err := client.Get(stem).Exec()
	if err := refused(err, "ItemNotFound"); err != nil {
		return err
	}
	made, err := client.Create().AES(256, both).WithName(stem).
		WithAttribute(kmip.AttributeNameSensitive, true).Exec()
	if err != nil {
		return err
	}
	_, err = client.Get(made.UniqueIdentifier).Exec()
	if err := refused(err, "Sensitive"); err != nil {
		return err
	}
	_, err = client.Encrypt(made.UniqueIdentifier).WithCryptographicParameters(kmip.AES_GCM).
		WithIvCounterNonce(make([]byte, 12)).Data([]byte("x")).Exec()
	return refused(err, "PermissionDenied")
}
