package mapping_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/tim"
)

// fill sets every field of a struct to a value that nothing else has, and says
// which value is whose.
func fill(v reflect.Value, at string, n *int, values map[string]string) {
	*n++
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprintf("value-%d-", *n))
		values[at] = v.String()
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(int64(70000 + *n))
		values[at] = fmt.Sprint(v.Int())
	case reflect.Uint32, reflect.Uint64:
		v.SetUint(uint64(70000 + *n))
		values[at] = fmt.Sprint(v.Uint())
	case reflect.Float64:
		v.SetFloat(float64(*n) + 0.125)
		values[at] = fmt.Sprint(v.Float())
	case reflect.Bool:
		v.SetBool(true)
	}
}

// leftOut are the fields of elements that no event has, and why.
var leftOut = map[string]string{
	"ImageElem.OrigPath":  "a path of the sender's device",
	"ImageElem.TaskID":    "a number of the sender's device",
	"ImageElem.Level":     "a word, where it is known",
	"SoundElem.FilePath":  "a path of the sender's device",
	"SoundElem.TaskID":    "a number of the sender's device",
	"FileElem.FilePath":   "a path of the sender's device",
	"FileElem.TaskID":     "a number of the sender's device",
	"VideoElem.VideoPath": "a path of the sender's device",
	"VideoElem.ImagePath": "a path of the sender's device",
	"VideoElem.TaskID":    "a number of the sender's device",
}

// TestNothingOfAnElementIsLost holds every field of every element to being in
// the event, by a name of ours or of the SDK's.
func TestNothingOfAnElementIsLost(t *testing.T) {
	for _, elem := range []tim.Elem{
		tim.TextElem{}, tim.CustomElem{}, tim.ImageElem{}, tim.SoundElem{}, tim.FileElem{}, tim.VideoElem{}, tim.FaceElem{},
		tim.LocationElem{}, tim.MergerElem{}, tim.GroupTipsElem{}, tim.GroupReportElem{},
	} {
		v := reflect.New(reflect.TypeOf(elem)).Elem()
		name := v.Type().Name()
		n, values := 0, map[string]string{}
		for i := range v.NumField() {
			if f := v.Field(i); f.CanSet() {
				fill(f, name+"."+v.Type().Field(i).Name, &n, values)
			}
		}
		facts, err := mapping.FromMessage(observed, groupMessage(v.Interface().(tim.Elem)))
		if err != nil {
			t.Fatal(err)
		}
		data := string(facts[0].Event.Data())
		for field, value := range values {
			_, out := leftOut[field]
			if there := strings.Contains(data, value); there == out {
				t.Errorf("%s (%s) in the event: %v\n%s", field, value, there, data)
			}
		}
	}
}

// devices are the fields of a message that no event has, and why.
var devices = map[string]string{
	"Platform": "a detail of the sender's device", "UniqueID": "a number of the device", "CustomInt": "stays on the device",
	"CustomStr": "stays on the device", "Status": "of the sending", "GroupReceiptReadCount": "told by message.read",
	"GroupReceiptUnreadCount": "told by message.read", "RevokerUserID": "told by message.revoked", "RevokerNickName": "of a user",
	"RevokerFaceURL": "of a user", "RevokeReason": "told by message.revoked", "PinnerUserID": "told by group.info_changed",
	"PinnerNickName": "of a user", "PinnerFriendRemark": "depends on who looks", "PinnerNameCard": "of a user", "PinnerFaceURL": "of a user",
	"Priority": "a word, where it is known", "ConvType": "decides on the kind of conversation",
}

// TestNothingOfAMessageIsLost does the same for a message; flags are counted by
// whether they change the event.
func TestNothingOfAMessageIsLost(t *testing.T) {
	flags := map[string]bool{ // of the account that looks
		"IsFromSelf": true, "IsRead": true, "IsPeerRead": true, "ReceiptPeerRead": true, "HasSentReceipt": true,
	}
	base, err := mapping.FromMessage(observed, groupMessage(tim.TextElem{}))
	if err != nil {
		t.Fatal(err)
	}
	mt := reflect.TypeFor[tim.Message]()
	n := 0
	for i := range mt.NumField() {
		field := mt.Field(i)
		if !field.IsExported() || field.Name == "Extra" {
			continue
		}
		m := groupMessage(tim.TextElem{})
		f := reflect.ValueOf(&m).Elem().Field(i)
		values := map[string]string{}
		fill(f, field.Name, &n, values)
		if field.Name == "ConvType" || field.Name == "Status" {
			continue
		}
		facts, err := mapping.FromMessage(observed, m)
		if err != nil {
			t.Fatal(err)
		}
		data := string(facts[0].Event.Data())
		switch f.Kind() {
		case reflect.Bool:
			if changed := data != string(base[0].Event.Data()); changed == flags[field.Name] {
				t.Errorf("%s changes the event: %v", field.Name, changed)
			}
		case reflect.Slice, reflect.Pointer: // tested by what they hold
		default:
			_, out := devices[field.Name]
			if there := strings.Contains(data, values[field.Name]); there == out {
				t.Errorf("%s (%s) in the event: %v\n%s", field.Name, values[field.Name], there, data)
			}
		}
		if !json.Valid(facts[0].Event.Data()) {
			t.Errorf("%s: no JSON", field.Name)
		}
	}
}
