package tim

import "encoding/json"

// Config is what a client is opened with. Mirrors SdkConfig, with the keys of
// version 4 that the SDK's quick start still shows.
type Config struct {
	// SDKAppID is the application's id. It is TIMInit's other parameter, so it
	// is not in the JSON.
	SDKAppID uint32 `json:"-"`

	ConfigFilePath string `json:"sdk_config_config_file_path,omitempty"`
	LogFilePath    string `json:"sdk_config_log_file_path,omitempty"`
	MainThreadID   int64  `json:"sdk_config_main_thread_id,omitempty"`
	JavaVM         uint64 `json:"sdk_config_java_vm,omitempty"`
	AccountType    string `json:"sdk_config_account_type,omitempty"`
	// DeviceInfo says which device this is. An account has one session on each
	// platform, and a device is told (6208) that it was kicked while it was
	// offline only if it has a DevID to be known by.
	DeviceInfo *DeviceInfo `json:"sdk_config_device_info,omitempty"`

	// Extra is as in [Message].
	Extra map[string]json.RawMessage `json:"-"`
	zeros uint64
}

// DeviceInfo is the device a client runs on. Mirrors version 4's DeviceInfo.
type DeviceInfo struct {
	DevID    string   `json:"device_info_dev_id,omitempty"`
	Platform Platform `json:"device_info_platform,omitempty"`
	DevType  string   `json:"device_info_dev_type,omitempty"`

	// Extra is as in [Message].
	Extra map[string]json.RawMessage `json:"-"`
	zeros uint64
}
