package tim_test

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/timbridge/timbridge/tim"
)

// Initialising: a driver opens a client for an application.
func ExampleDriver() {
	im := startIM()
	defer im.stop()

	config := tim.Config{
		SDKAppID:       12345678,
		LogFilePath:    "path",
		ConfigFilePath: "path",
		AccountType:    "107",
		DeviceInfo:     &tim.DeviceInfo{DevID: "12345678", Platform: tim.PlatformWindows},
	}
	client, err := im.Open(context.Background(), config)
	if err != nil {
		fmt.Println("not initialised:", err)
		return
	}
	defer client.Close()

	// The same as the SDK's JSON.
	out, err := json.MarshalIndent(config, "", "  ")
	fmt.Println(string(out), err)
	// Output:
	// {
	//   "sdk_config_config_file_path": "path",
	//   "sdk_config_log_file_path": "path",
	//   "sdk_config_account_type": "107",
	//   "sdk_config_device_info": {
	//     "device_info_dev_id": "12345678",
	//     "device_info_platform": 1
	//   }
	// } <nil>
}

// Signing in needs the user's id and a UserSig, which the application's server
// signs for the user. Login returns when it is done, or why it is not.
func ExampleClient_login() {
	im := startIM()
	defer im.stop()
	ctx := context.Background()
	client, err := im.Open(ctx, tim.Config{SDKAppID: appID})
	check(err)

	err = client.Login(ctx, "WIN01", "WIN01UserSig")
	if e, ok := tim.AsError(err); ok {
		fmt.Println("refused:", e.Code)
	}

	userSig := tim.SignUserSig(appID, secretKey, "WIN01", 24*time.Hour, time.Now())
	if err := client.Login(ctx, "WIN01", userSig); err != nil {
		fmt.Println("not signed in:", err)
		return
	}
	fmt.Println("signed in")
	// Output:
	// refused: 70003 ERR_SVR_ACCOUNT_USERSIG_CHECK_FAILED
	// signed in
}

// A user has one session on each platform. Who signs in on a second device
// kicks the first, whose handler is told.
func ExampleKickedOffline() {
	im := startIM()
	defer im.stop()
	ctx := context.Background()

	kicked := make(chan struct{})
	first := im.signIn("WIN01", func(r tim.Report) {
		if _, ok := r.Event.(tim.KickedOffline); ok {
			close(kicked)
		}
		r.Ack()
	})
	im.signIn("WIN01", nil) // on another device
	<-kicked

	_, err := first.Send(ctx, tim.C2C("Windows-02"), tim.Message{Elems: []tim.Elem{tim.TextElem{Content: "hi"}}})
	if e, ok := tim.AsError(err); ok {
		fmt.Println("the first device:", e.Code)
	}
	// Output:
	// the first device: 6014 ERR_SDK_NOT_LOGGED_IN
}

// A device that was kicked while it was offline is told at its next login, with
// 6208. People should be asked before the device signs in again, which kicks
// the other one.
func ExampleClient_kickedWhileOffline() {
	im := startIM()
	defer im.stop()
	ctx := context.Background()
	open := func(device string) tim.Client {
		client, err := im.Open(ctx, tim.Config{SDKAppID: appID, DeviceInfo: &tim.DeviceInfo{
			DevID: device, Platform: tim.PlatformWindows,
		}})
		check(err)
		return client
	}

	first := open("at home")
	check(first.Login(ctx, "WIN01", im.userSig("WIN01")))
	check(first.Close()) // without a Logout, as when the power goes
	second := open("at work")
	check(second.Login(ctx, "WIN01", im.userSig("WIN01")))

	first = open("at home")
	err := first.Login(ctx, "WIN01", im.userSig("WIN01"))
	if e, ok := tim.AsError(err); ok && e.Code == tim.CodeLoginKickedOffByOther {
		fmt.Println(e.Code)
		fmt.Println("signed in again:", first.Login(ctx, "WIN01", im.userSig("WIN01")))
	}
	// Output:
	// 6208 ERR_LOGIN_KICKED_OFF_BY_OTHER
	// signed in again: <nil>
}

// A UserSig expires. Signed in, the handler is told, and hands in a new one
// from the application's server; at a login the code is 70001.
func ExampleUserSigExpired() {
	im := startIM()
	defer im.stop()
	ctx := context.Background()

	expired := make(chan struct{})
	client, err := im.Open(ctx, tim.Config{SDKAppID: appID})
	check(err)
	check(client.Listen(func(r tim.Report) {
		if _, ok := r.Event.(tim.UserSigExpired); ok {
			close(expired)
		}
		r.Ack()
	}))
	old := im.userSig("WIN01") // for an hour
	check(client.Login(ctx, "WIN01", old))

	im.clock.move(2 * time.Hour)
	im.Tick() // looks at the clock
	<-expired
	fmt.Println("renewed:", client.RenewUserSig(ctx, im.userSig("WIN01")))

	check(client.Logout(ctx))
	err = client.Login(ctx, "WIN01", old)
	if e, ok := tim.AsError(err); ok {
		fmt.Println("with the old one:", e.Code)
	}
	// Output:
	// renewed: <nil>
	// with the old one: 70001 ERR_SVR_ACCOUNT_USERSIG_EXPIRED
}

// Another user can sign in only when Logout has returned.
func ExampleClient_logout() {
	im := startIM()
	defer im.stop()
	ctx := context.Background()
	client := im.signIn("WIN01", nil)

	err := client.Login(ctx, "WIN02", im.userSig("WIN02"))
	if e, ok := tim.AsError(err); ok {
		fmt.Println("at once:", e.Code)
	}
	fmt.Println("signed out:", client.Logout(ctx))
	fmt.Println("after that:", client.Login(ctx, "WIN02", im.userSig("WIN02")))
	// Output:
	// at once: 7014 ERR_SDK_INVALID_OPERATION
	// signed out: <nil>
	// after that: <nil>
}
