package tim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

// The codec of the SDK's JSON objects. encoding/json alone would lose what a
// newer SDK adds, fail on a value of another type than documented, and forget
// whether a zero was written. So each struct has, beside its fields, what does
// not fit in them:
//
//   - a key that no field has, or whose value does not fit the field, goes to
//     Extra as it was, and is written again while the field is zero;
//   - an omitempty field that was present with a zero value has its bit set in
//     zeros, and is written although it is zero.
//
// Fields are named by their json tags; omitempty leaves out a zero that was
// not present. All functions below take JSON that json.Valid has accepted.

// object is a pointer to one of the SDK's objects.
type object interface {
	rest() (extra *map[string]json.RawMessage, zeros *uint64)
}

// namer is an object that says itself which of its fields are meant, zero or not.
type namer interface {
	// named gives the fields as bits of zeros.
	named() uint64
}

// namedField is a field that a flag names.
type namedField struct {
	flag uint64
	key  string
}

// fieldsNamed gives the fields that the flags name as bits of zeros.
func fieldsNamed(o object, flags uint64, table []namedField) (bits uint64) {
	p := planOf(reflect.TypeOf(o).Elem())
	for _, f := range table {
		if flags&f.flag != 0 {
			bits |= 1 << p.byKey[f.key]
		}
	}
	return bits
}

// maxDepth is how many objects may lie in one another (a merger holds
// messages, which hold mergers); what is deeper is kept raw. It bounds the
// work, which grows with size times depth.
const maxDepth = 32

// plan is what is known of an object's type.
type plan struct {
	fields []planField
	byKey  map[string]int
	elem   ElemType // of an element's type
	isElem bool
}

type planField struct {
	key   string
	name  []byte // `"key":`
	index int
	omit  bool
}

var (
	plans    sync.Map // reflect.Type → *plan; a cache, as encoding/json has
	rawType  = reflect.TypeFor[json.RawMessage]()
	roleType = reflect.TypeFor[GroupMemberRole]()
)

func planOf(t reflect.Type) *plan {
	if p, ok := plans.Load(t); ok {
		return p.(*plan)
	}
	p := &plan{byKey: map[string]int{}}
	for i := range t.NumField() {
		key, opts, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		if key == "" || key == "-" {
			continue
		}
		p.byKey[key] = len(p.fields)
		p.fields = append(p.fields, planField{key, []byte(`"` + key + `":`), i, opts == "omitempty"})
	}
	if len(p.fields) > 64 {
		panic("tim: " + t.Name() + " has more fields than zeros has bits")
	}
	if e, ok := reflect.New(t).Elem().Interface().(Elem); ok {
		p.elem, p.isElem = e.ElemType(), true
	}
	plans.Store(t, p)
	return p
}

func marshalObject(o object) ([]byte, error) {
	return appendObject(make([]byte, 0, 512), reflect.ValueOf(o).Elem(), o)
}

func appendObject(dst []byte, v reflect.Value, o object) ([]byte, error) {
	p := planOf(v.Type())
	extra, zeros := o.rest()
	meant := *zeros
	if n, ok := o.(namer); ok {
		meant |= n.named()
	}
	dst = append(dst, '{')
	start := len(dst)
	var err error
	if p.isElem {
		dst = append(dst, `"elem_type":`...)
		if raw, ok := (*extra)["elem_type"]; ok {
			if dst, err = appendRaw(dst, raw); err != nil {
				return nil, err
			}
		} else {
			dst = strconv.AppendInt(dst, int64(p.elem), 10)
		}
	}
	for i := range p.fields {
		f := &p.fields[i]
		fv := v.Field(f.index)
		var raw json.RawMessage
		if fv.IsZero() || fv.Kind() == reflect.Slice && fv.Len() == 0 {
			var kept bool
			if raw, kept = (*extra)[f.key]; !kept && f.omit && meant&(1<<i) == 0 {
				continue
			}
		}
		if len(dst) > start {
			dst = append(dst, ',')
		}
		dst = append(dst, f.name...)
		if raw != nil {
			dst, err = appendRaw(dst, raw)
		} else {
			dst, err = appendValue(dst, fv)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.key, err)
		}
	}
	if len(*extra) > 0 {
		keys := make([]string, 0, len(*extra))
		for key := range *extra {
			if _, known := p.byKey[key]; !known && !(p.isElem && key == "elem_type") {
				keys = append(keys, key)
			}
		}
		slices.Sort(keys)
		for _, key := range keys {
			if len(dst) > start {
				dst = append(dst, ',')
			}
			dst = append(appendString(dst, key), ':')
			if dst, err = appendRaw(dst, (*extra)[key]); err != nil {
				return nil, fmt.Errorf("%s: %w", key, err)
			}
		}
	}
	return append(dst, '}'), nil
}

func appendValue(dst []byte, v reflect.Value) ([]byte, error) {
	switch v.Kind() {
	case reflect.String:
		return appendString(dst, v.String()), nil
	case reflect.Bool:
		return strconv.AppendBool(dst, v.Bool()), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return strconv.AppendInt(dst, v.Int(), 10), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return strconv.AppendUint(dst, v.Uint(), 10), nil
	case reflect.Float64:
		b, err := json.Marshal(v.Float())
		return append(dst, b...), err
	case reflect.Pointer:
		if v.IsNil() {
			return append(dst, "null"...), nil
		}
		if o, ok := v.Interface().(object); ok {
			return appendObject(dst, v.Elem(), o)
		}
		return appendValue(dst, v.Elem())
	case reflect.Struct:
		return appendObject(dst, v, v.Addr().Interface().(object))
	case reflect.Interface:
		return appendElem(dst, v)
	case reflect.Slice:
		if v.Type() == rawType {
			return appendRaw(dst, v.Bytes())
		}
		dst = append(dst, '[')
		for i := range v.Len() {
			if i > 0 {
				dst = append(dst, ',')
			}
			var err error
			if dst, err = appendValue(dst, v.Index(i)); err != nil {
				return nil, fmt.Errorf("%d: %w", i, err)
			}
		}
		return append(dst, ']'), nil
	}
	panic("tim: a field of type " + v.Type().String())
}

func appendElem(dst []byte, v reflect.Value) ([]byte, error) {
	if v.IsNil() {
		return nil, fmt.Errorf("no element")
	}
	v = v.Elem()
	if v.Kind() != reflect.Pointer { // what an interface holds has no address
		p := reflect.New(v.Type())
		p.Elem().Set(v)
		v = p
	}
	switch o := v.Interface().(type) {
	case *UnknownElem:
		return appendUnknown(dst, *o)
	case object:
		return appendObject(dst, v.Elem(), o)
	}
	return nil, fmt.Errorf("an element of type %s", v.Elem().Type())
}

func appendUnknown(dst []byte, e UnknownElem) ([]byte, error) {
	if e.Raw == nil {
		dst = append(dst, `{"elem_type":`...)
		return append(strconv.AppendInt(dst, int64(e.Type), 10), '}'), nil
	}
	return appendRaw(dst, e.Raw)
}

// appendRaw takes JSON from outside, which a caller may have put together by hand.
func appendRaw(dst, raw []byte) ([]byte, error) {
	if !json.Valid(raw) {
		return nil, fmt.Errorf("raw JSON is not valid")
	}
	return append(dst, bytes.TrimSpace(raw)...), nil
}

func appendString(dst []byte, s string) []byte {
	for i := range len(s) {
		if b := s[i]; b < 0x20 || b == '"' || b == '\\' || b >= utf8.RuneSelf {
			if b >= utf8.RuneSelf && plain(s[i:]) {
				break
			}
			q, _ := json.Marshal(s) // a string cannot fail
			return append(dst, q...)
		}
	}
	return append(append(append(dst, '"'), s...), '"')
}

// plain says that s can stand in JSON as it is.
func plain(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == '"' || r == '\\' })
}

// unmarshalObject sets o, a pointer to an object, to what data says and to
// nothing else. It fails on what is no JSON object.
func unmarshalObject(data []byte, o object) error {
	if !json.Valid(data) {
		var v any
		return json.Unmarshal(data, &v) // says where it is wrong
	}
	v := reflect.ValueOf(o).Elem()
	v.SetZero()
	if !decodeObject(data, v, o, 0) {
		return &json.UnmarshalTypeError{Value: kindOf(data), Type: v.Type()}
	}
	return nil
}

func decodeObject(data []byte, v reflect.Value, o object, depth int) bool {
	data = bytes.TrimSpace(data)
	if len(data) == 0 || data[0] != '{' || depth > maxDepth {
		return false
	}
	p := planOf(v.Type())
	extra, zeros := o.rest()
	for key, value := range members(data) {
		i, known := p.byKey[string(key)]
		if known {
			fv := v.Field(p.fields[i].index)
			fv.SetZero() // of a key given twice, the last counts
			*zeros &^= 1 << i
			if decodeValue(value, fv, depth) {
				if p.fields[i].omit && fv.IsZero() {
					*zeros |= 1 << i
				}
				delete(*extra, string(key))
				continue
			}
			fv.SetZero()
		} else if p.isElem && string(key) == "elem_type" {
			delete(*extra, string(key))
			if n, ok := integer(value); ok && n == int64(p.elem) {
				continue
			}
		}
		if *extra == nil {
			*extra = map[string]json.RawMessage{}
		}
		(*extra)[string(key)] = bytes.Clone(value)
	}
	return true
}

// decodeValue sets v, which is zero, and says whether the value fits.
func decodeValue(data []byte, v reflect.Value, depth int) bool {
	switch v.Kind() {
	case reflect.String:
		if data[0] != '"' {
			return false
		}
		v.SetString(unquote(data))
	case reflect.Bool:
		if data[0] != 't' && data[0] != 'f' {
			return false
		}
		v.SetBool(data[0] == 't')
	case reflect.Int32, reflect.Int64:
		n, ok := integer(data)
		if !ok || v.OverflowInt(n) {
			return false
		}
		v.SetInt(n)
	case reflect.Uint32, reflect.Uint64:
		n, ok := unsigned(data)
		if !ok || v.OverflowUint(n) {
			return false
		}
		if v.Type() == roleType {
			n = uint64(roleOfFlag(GroupMemberRole(n)))
		}
		v.SetUint(n)
	case reflect.Float64:
		f, err := strconv.ParseFloat(string(data), 64)
		if err != nil || data[0] == '"' || math.IsInf(f, 0) || math.IsNaN(f) {
			return false
		}
		v.SetFloat(f)
	case reflect.Pointer:
		p := reflect.New(v.Type().Elem())
		if o, ok := p.Interface().(object); ok && !decodeObject(data, p.Elem(), o, depth+1) {
			return false
		} else if !ok && !decodeValue(data, p.Elem(), depth) {
			return false
		}
		v.Set(p)
	case reflect.Struct:
		return decodeObject(data, v, v.Addr().Interface().(object), depth+1)
	case reflect.Interface:
		v.Set(reflect.ValueOf(decodeElem(data, depth+1)))
	case reflect.Slice:
		if v.Type() == rawType {
			v.SetBytes(bytes.Clone(data))
			return true
		}
		if data[0] != '[' {
			return false
		}
		n := 0
		for range items(data) {
			n++
		}
		if n == 0 {
			return true // nil, and the field's bit says that it was there
		}
		list := reflect.MakeSlice(v.Type(), n, n)
		i := 0
		for item := range items(data) {
			if !decodeValue(item, list.Index(i), depth) {
				return false
			}
			i++
		}
		v.Set(list)
	default:
		panic("tim: a field of type " + v.Type().String())
	}
	return true
}

// roleOfFlag turns a TIMGroupMemberRoleFlag, which the SDK's quick start gives
// as a member's role, into the role. No role has such a value.
func roleOfFlag(r GroupMemberRole) GroupMemberRole {
	switch r {
	case 1:
		return RoleOwner
	case 2:
		return RoleAdmin
	case 4:
		return RoleMember
	}
	return r
}
