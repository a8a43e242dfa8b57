package tim_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/timbridge/timbridge/tim"
)

// objects are all objects of the SDK that the package has, by the SDK's name.
var objects = map[string]any{
	"Message": tim.Message{}, "MsgLocator": tim.MsgLocator{}, "UserProfile": tim.UserProfile{},
	"UserProfileCustomStringInfo": tim.UserProfileCustomString{}, "OfflinePushConfig": tim.OfflinePushConfig{},
	"IOSOfflinePushConfig": tim.IOSOfflinePushConfig{}, "AndroidOfflinePushConfig": tim.AndroidOfflinePushConfig{},
	"TextElem": tim.TextElem{}, "CustomElem": tim.CustomElem{}, "ImageElem": tim.ImageElem{},
	"SoundElem": tim.SoundElem{}, "FileElem": tim.FileElem{}, "VideoElem": tim.VideoElem{},
	"LocationElem": tim.LocationElem{}, "FaceElem": tim.FaceElem{}, "MergerElem": tim.MergerElem{},
	"GroupTipsElem": tim.GroupTipsElem{}, "GroupTipGroupChangeInfo": tim.GroupTipGroupChangeInfo{},
	"GroupTipMemberChangeInfo": tim.GroupTipMemberChangeInfo{}, "GroupTipMemberMarkChangeInfo": tim.GroupTipMemberMarkChangeInfo{},
	"GroupReportElem": tim.GroupReportElem{}, "ConvInfo": tim.ConvInfo{}, "Draft": tim.Draft{}, "GroupAtInfo": tim.GroupAtInfo{},
	"CreateGroupParam": tim.CreateGroupParam{}, "CreateGroupResult": tim.CreateGroupResult{},
	"GroupInfoCustomString": tim.GroupInfoCustomString{}, "GroupMemberInfo": tim.GroupMemberInfo{},
	"GroupMemberInfoCustomString": tim.GroupMemberInfoCustomString{},
	"GroupInviteMemberParam":      tim.GroupInviteMemberParam{}, "GroupInviteMemberResult": tim.GroupInviteMemberResult{},
	"GroupDeleteMemberParam": tim.GroupDeleteMemberParam{}, "GroupDeleteMemberResult": tim.GroupDeleteMemberResult{},
	"SdkConfig": tim.Config{}, "DeviceInfo": tim.DeviceInfo{},
	"GroupDetailInfo": tim.GroupDetailInfo{}, "GroupBaseInfo": tim.GroupBaseInfo{}, "GroupSelfInfo": tim.GroupSelfInfo{},
	"GetGroupInfoResult": tim.GetGroupInfoResult{}, "GroupModifyInfoParam": tim.GroupModifyInfoParam{},
	"GroupModifyMemberInfoParam": tim.GroupModifyMemberInfoParam{}, "GroupGetMemberInfoListParam": tim.GroupGetMemberInfoListParam{},
	"GroupGetMemberInfoListResult": tim.GroupGetMemberInfoListResult{}, "GroupMemberGetInfoOption": tim.GroupMemberGetInfoOption{},
	"GroupPendency": tim.GroupPendency{}, "GroupPendencyOption": tim.GroupPendencyOption{},
	"GroupPendencyResult": tim.GroupPendencyResult{}, "GroupHandlePendencyParam": tim.GroupHandlePendencyParam{},
	"MessageReceipt": tim.MessageReceipt{}, "TIMUserStatus": tim.UserStatus{}, "UserProfileItem": tim.UserProfileItem{},
	"MsgBatchSendParam": tim.MsgBatchSendParam{}, "MsgBatchSendResult": tim.MsgBatchSendResult{},
}

// Every key that the SDK documents for these objects is a field, and no other is.
func TestEveryKeyOfTheSDKIsAField(t *testing.T) {
	want := map[string]map[string]bool{}
	for _, line := range tsv(t, "testdata/json-keys.tsv") {
		if want[line[0]] == nil {
			want[line[0]] = map[string]bool{}
		}
		want[line[0]][line[1]] = true
	}
	if len(want) != len(objects) {
		t.Errorf("the table has %d objects, the test %d", len(want), len(objects))
	}
	for name, value := range objects {
		typ := reflect.TypeOf(value)
		for i := range typ.NumField() {
			key, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
			if key == "" || key == "-" {
				continue
			}
			if !want[name][key] {
				t.Errorf("%s.%s: the SDK has no key %q", name, typ.Field(i).Name, key)
			}
			delete(want[name], key)
		}
		for key := range want[name] {
			t.Errorf("%s has no field for %q", name, key)
		}
	}
}

// Every object of the package is one of the table.
func TestEveryObjectIsInTheTable(t *testing.T) {
	known := map[string]bool{}
	for _, value := range objects {
		known[reflect.TypeOf(value).Name()] = true
	}
	for _, file := range source(t) {
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			s, ok := spec.Type.(*ast.StructType)
			if !ok {
				return true
			}
			for _, field := range s.Fields.List {
				if len(field.Names) == 1 && field.Names[0].Name == "zeros" && !known[spec.Name.Name] {
					t.Errorf("%s is compared with no object of the SDK", spec.Name.Name)
				}
			}
			return true
		})
	}
}

// Whatever a field holds is read as it was written, beside a key that nobody knows.
func TestEveryFieldComesBack(t *testing.T) {
	for name, value := range objects {
		t.Run(name, func(t *testing.T) {
			typ := reflect.TypeOf(value)
			for _, seed := range []int{0, 1} {
				v, again := reflect.New(typ), reflect.New(typ)
				fill(v.Elem(), seed, 0)
				v.Elem().FieldByName("Extra").Set(reflect.ValueOf(map[string]json.RawMessage{"key_of_tomorrow": json.RawMessage(`{"a":[1,null]}`)}))
				out := marshal(t, v.Interface())
				if err := json.Unmarshal(out, again.Interface()); err != nil {
					t.Fatal(err)
				}
				if twice := marshal(t, again.Interface()); !bytes.Equal(out, twice) {
					t.Errorf("not the same the second time\n1st: %s\n2nd: %s", out, twice)
				}
				for i := range typ.NumField() {
					if f := typ.Field(i); f.IsExported() && !strings.HasPrefix(f.Tag.Get("json"), "-") {
						got, want := again.Elem().Field(i), v.Elem().Field(i)
						if !bytes.Equal(marshal(t, got.Interface()), marshal(t, want.Interface())) {
							t.Errorf("%s is %v, was %v", f.Name, got, want)
						}
						if seed > 0 && got.IsZero() {
							t.Errorf("%s is lost", f.Name)
						}
					}
				}
			}
		})
	}
}

// fill sets every field: to something for seed 1, to nothing for seed 0.
func fill(v reflect.Value, seed, depth int) {
	if seed == 0 {
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("x" + strconv.Itoa(depth))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int32, reflect.Int64:
		v.SetInt(-7)
	case reflect.Uint32, reflect.Uint64:
		v.SetUint(200)
	case reflect.Float64:
		v.SetFloat(22.5)
	case reflect.Interface:
		v.Set(reflect.ValueOf(tim.TextElem{Content: "x"}))
	case reflect.Pointer:
		if depth < 3 {
			v.Set(reflect.New(v.Type().Elem()))
			fill(v.Elem(), seed, depth+1)
		}
	case reflect.Slice:
		if v.Type() == reflect.TypeFor[json.RawMessage]() {
			v.SetBytes([]byte(`[1]`))
		} else if depth < 3 {
			v.Set(reflect.MakeSlice(v.Type(), 2, 2))
			fill(v.Index(0), seed, depth+1)
			fill(v.Index(1), seed, depth+1)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() && f.Name != "Extra" {
				fill(v.Field(i), seed, depth+1)
			}
		}
	}
}

// The constants of an enumeration are those of the SDK that their comments
// name, all of them, with its values; and each has a word.
func TestEveryValueOfTheSDKsEnumerationsIsAConstant(t *testing.T) {
	mirrors := regexp.MustCompile(`Mirrors (\w+)\.`)
	want := map[string]map[string]string{} // enumeration, name, value
	for _, line := range tsv(t, "testdata/enums.tsv") {
		if want[line[0]] == nil {
			want[line[0]] = map[string]string{}
		}
		want[line[0]][line[1]] = line[2]
	}
	sdk := map[string]string{} // our type, the SDK's enumeration
	files := source(t)
	for _, file := range files {
		for _, decl := range file.Decls {
			g, ok := decl.(*ast.GenDecl)
			if !ok || g.Tok != token.TYPE {
				continue
			}
			if m := mirrors.FindStringSubmatch(g.Doc.Text()); m != nil && want[m[1]] != nil {
				sdk[g.Specs[0].(*ast.TypeSpec).Name.Name] = m[1]
			}
		}
	}
	if len(sdk) != len(want) {
		t.Errorf("%d types mirror the %d enumerations of the table", len(sdk), len(want))
	}
	for _, file := range files {
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || spec.Type == nil || spec.Comment == nil || len(spec.Values) != 1 {
				return true
			}
			typ, ok := spec.Type.(*ast.Ident)
			if !ok || sdk[typ.Name] == "" {
				return true
			}
			name, value := strings.TrimSpace(spec.Comment.Text()), number(spec.Values[0])
			if got := want[sdk[typ.Name]][name]; got != value {
				t.Errorf("%s is %s, %s is %q", spec.Names[0].Name, value, name, got)
			}
			delete(want[sdk[typ.Name]], name)
			return true
		})
	}
	for enum, names := range want {
		for name := range names {
			t.Errorf("%s: no constant for %s", enum, name)
		}
	}
}

// enumerations are all enumerations of the SDK that the package has, by the SDK's name.
var enumerations = map[string]fmt.Stringer{
	"TIMConvType":                     tim.ConvType(0),
	"TIMReceiveMessageOpt":            tim.ReceiveMessageOpt(0),
	"TIMNetworkStatus":                tim.NetworkStatus(0),
	"TIMGenderType":                   tim.GenderType(0),
	"TIMProfileAddPermission":         tim.ProfileAddPermission(0),
	"TIMMsgStatus":                    tim.MsgStatus(0),
	"TIMMsgPriority":                  tim.MsgPriority(0),
	"TIMPlatform":                     tim.Platform(0),
	"TIMElemType":                     tim.ElemType(0),
	"TIMImageLevel":                   tim.ImageLevel(0),
	"TIMConversationMarkType":         tim.ConvMark(0),
	"TIMOfflinePushFlag":              tim.OfflinePushFlag(0),
	"TIMIOSOfflinePushType":           tim.IOSOfflinePushType(0),
	"TIMAndroidOfflinePushNotifyMode": tim.AndroidOfflinePushNotifyMode(0),
	"TIMGroupReportType":              tim.GroupReportType(0),
	"TIMGroupAtType":                  tim.GroupAtType(0),
	"TIMGroupTipGroupChangeFlag":      tim.GroupTipGroupChangeFlag(0),
	"TIMGroupTipType":                 tim.GroupTipType(0),
	"TIMGroupType":                    tim.GroupType(0),
	"TIMGroupAddOption":               tim.GroupAddOption(0),
	"TIMGroupMemberRole":              tim.GroupMemberRole(0),
	"HandleGroupMemberResult":         tim.HandleGroupMemberResult(0),
	"TIMGroupJoinType":                tim.GroupJoinType(0),
	"TIMUserStatusType":               tim.UserStatusType(0),
	"TIMGroupModifyInfoFlag":          tim.GroupModifyInfoFlag(0),
	"TIMGroupMemberRoleFlag":          tim.GroupMemberRoleFlag(0),
	"TIMGroupMemberInfoFlag":          tim.GroupMemberInfoFlag(0),
	"TIMGroupMemberModifyInfoFlag":    tim.GroupMemberModifyInfoFlag(0),
	"TIMGroupPendencyType":            tim.GroupPendencyType(0),
	"TIMGroupPendencyHandle":          tim.GroupPendencyHandle(0),
	"TIMGroupPendencyHandleResult":    tim.GroupPendencyHandleResult(0),
}

func TestEveryValueHasAWord(t *testing.T) {
	word := regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	for _, line := range tsv(t, "testdata/enums.tsv") {
		enum := enumerations[line[0]]
		if enum == nil {
			t.Errorf("%s is not among the enumerations", line[0])
			continue
		}
		if got := stringOf(t, enum, line[2]); !word.MatchString(got) {
			t.Errorf("%s prints as %q", line[1], got)
		}
	}
	for name, enum := range enumerations {
		typ := reflect.TypeOf(enum).Name()
		if got := stringOf(t, enum, "1048576"); !strings.HasPrefix(got, typ+"(") { // nobody has that
			t.Errorf("a value that %s does not have prints as %q", name, got)
		}
	}
}

// stringOf prints a value as one of an enumeration.
func stringOf(t *testing.T, enum fmt.Stringer, value string) string {
	t.Helper()
	v := reflect.New(reflect.TypeOf(enum)).Elem()
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	if v.CanInt() {
		v.SetInt(n)
	} else {
		v.SetUint(uint64(n))
	}
	return v.Interface().(fmt.Stringer).String()
}

// number is the value of a literal, "?" of anything else.
func number(e ast.Expr) string {
	if u, ok := e.(*ast.UnaryExpr); ok && u.Op == token.SUB {
		return "-" + number(u.X)
	}
	if lit, ok := e.(*ast.BasicLit); ok {
		return constant.MakeFromLiteral(lit.Value, lit.Kind, 0).ExactString()
	}
	return "?"
}

func TestFlagsAsWords(t *testing.T) {
	tests := map[string]interface{ String() string }{
		"none":                            tim.ModifyGroupNone,
		"name|notification":               tim.ModifyGroupName | tim.ModifyGroupNotification,
		"custom_string|owner":             tim.ModifyGroupOwner | tim.ModifyGroupCustomString,
		"shutup_all":                      tim.ModifyGroupShutupAll,
		"name|GroupModifyInfoFlag(0x400)": tim.ModifyGroupName | 1<<10,
		"all":                             tim.RoleFlagAll,
		"owner|admin":                     tim.RoleFlagOwner | tim.RoleFlagAdmin,
		"GroupMemberRoleFlag(0x8000000000000000)": tim.GroupMemberRoleFlag(1 << 63),
		"join_time|name_card":                     tim.MemberInfoJoinTime | tim.MemberInfoNameCard,
		"shutup_time|custom":                      tim.ModifyMemberShutupTime | tim.ModifyMemberCustom,
		"signed_out":                              tim.UserStatusSignedOut,
		"UserStatusType(9)":                       tim.UserStatusType(9),
		"invite_need_approved_by_admin":           tim.PendencyInviteNeedApprovedByAdmin,
		"other_handled":                           tim.PendencyOtherHandle,
		"accepted":                                tim.PendencyAccept,
	}
	for want, v := range tests {
		if got := v.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// source is the package's files, without its tests.
func source(t *testing.T) (files []*ast.File) {
	t.Helper()
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	return files
}
