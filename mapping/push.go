package mapping

import (
	"encoding/json"

	"github.com/timbridge/timbridge/tim"
)

// OfflinePush says how a message is shown on devices that are offline, in
// events and commands.
type OfflinePush struct {
	// Disabled keeps the message from being pushed.
	Disabled bool `json:"disabled,omitempty"`
	// Desc is the text shown, Ext what the app gets with it.
	Desc    string              `json:"desc,omitempty"`
	Ext     string              `json:"ext,omitempty"`
	IOS     *OfflinePushIOS     `json:"ios,omitempty"`
	Android *OfflinePushAndroid `json:"android,omitempty"`
	// Raw is what an event had that this package has no name for; it is not sent.
	Raw json.RawMessage `json:"raw,omitempty"`
}

// OfflinePushIOS is the part for Apple's devices.
type OfflinePushIOS struct {
	Title       string `json:"title,omitempty"`
	Sound       string `json:"sound,omitempty"`
	Image       string `json:"image,omitempty"`
	IgnoreBadge bool   `json:"ignore_badge,omitempty"`
	// PushType is "voip", or "apns" as when it is empty.
	PushType string          `json:"push_type,omitempty"`
	Raw      json.RawMessage `json:"raw,omitempty"`
}

// OfflinePushAndroid is the part for Android devices; the rest of its names are
// the makers'.
type OfflinePushAndroid struct {
	Title string `json:"title,omitempty"`
	Sound string `json:"sound,omitempty"`
	// NotifyMode is "custom", or "normal" as when it is empty.
	NotifyMode         string          `json:"notify_mode,omitempty"`
	FCMChannelID       string          `json:"fcm_channel_id,omitempty"`
	FCMImage           string          `json:"fcm_image,omitempty"`
	HonorImage         string          `json:"honor_image,omitempty"`
	HuaweiCategory     string          `json:"huawei_category,omitempty"`
	HuaweiImage        string          `json:"huawei_image,omitempty"`
	OPPOChannelID      string          `json:"oppo_channel_id,omitempty"`
	VivoCategory       string          `json:"vivo_category,omitempty"`
	VivoClassification uint64          `json:"vivo_classification,omitempty"`
	XiaomiChannelID    string          `json:"xiaomi_channel_id,omitempty"`
	Raw                json.RawMessage `json:"raw,omitempty"`
}

// offlinePushData is a push as an event tells it.
func offlinePushData(c *tim.OfflinePushConfig) OfflinePush {
	p := OfflinePush{Disabled: c.Flag == tim.OfflinePushNoPush, Desc: c.Desc, Ext: c.Ext, Raw: rawOf(c.Extra)}
	if i := c.IOS; i != nil {
		p.IOS = &OfflinePushIOS{Title: i.Title, Sound: i.Sound, Image: i.Image, IgnoreBadge: i.IgnoreBadge, Raw: rawOf(i.Extra)}
		if i.PushType != tim.IOSPushAPNS {
			p.IOS.PushType = i.PushType.String()
		}
	}
	if a := c.Android; a != nil {
		p.Android = &OfflinePushAndroid{
			Title: a.Title, Sound: a.Sound, FCMChannelID: a.FCMChannelID, FCMImage: a.FCMImage, HonorImage: a.HonorImage,
			HuaweiCategory: a.HuaWeiCategory, HuaweiImage: a.HuaWeiImage, OPPOChannelID: a.OPPOChannelID,
			VivoCategory: a.VIVOCategory, VivoClassification: a.VIVOClassification, XiaomiChannelID: a.XiaoMiChannelID,
			Raw: rawOf(a.Extra),
		}
		if a.NotifyMode != tim.AndroidNotifyNormal {
			p.Android.NotifyMode = a.NotifyMode.String()
		}
	}
	return p
}

// config is a push as the SDK takes it.
func (p *OfflinePush) config() *tim.OfflinePushConfig {
	if p == nil {
		return nil
	}
	c := &tim.OfflinePushConfig{Desc: p.Desc, Ext: p.Ext}
	if p.Disabled {
		c.Flag = tim.OfflinePushNoPush
	}
	if i := p.IOS; i != nil {
		c.IOS = &tim.IOSOfflinePushConfig{Title: i.Title, Sound: i.Sound, Image: i.Image, IgnoreBadge: i.IgnoreBadge}
		if i.PushType == tim.IOSPushVOIP.String() {
			c.IOS.PushType = tim.IOSPushVOIP
		}
	}
	if a := p.Android; a != nil {
		c.Android = &tim.AndroidOfflinePushConfig{
			Title: a.Title, Sound: a.Sound, FCMChannelID: a.FCMChannelID, FCMImage: a.FCMImage, HonorImage: a.HonorImage,
			HuaWeiCategory: a.HuaweiCategory, HuaWeiImage: a.HuaweiImage, OPPOChannelID: a.OPPOChannelID,
			VIVOCategory: a.VivoCategory, VIVOClassification: a.VivoClassification, XiaoMiChannelID: a.XiaomiChannelID,
		}
		if a.NotifyMode == tim.AndroidNotifyCustom.String() {
			c.Android.NotifyMode = tim.AndroidNotifyCustom
		}
	}
	return c
}
