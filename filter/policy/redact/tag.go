package redact

import "github.com/weirmesh/weir/filter/policy/spec"

// tags are what spec.RedactTag puts in place of a value.
var tags = [spec.EntityKinds]string{
	"<PHONE>", "<EMAIL>", "<RESIDENT_ID>", "<BANK_CARD>", "<LANDLINE>", "<PHONE_US>", "<PHONE_INTL>", "<PASSPORT>", "<PERMIT>", "<PLATE>", "<USCC>",
	"<HK_ID>", "<TW_ID>", "<SSN>", "<IBAN>", "<IP>", "<MAC>", "<IMEI>", "<VIN>", "<MACAU_ID>", "<AWS_KEY>", "<GITHUB_TOKEN>", "<SLACK_TOKEN>", "<OPENAI_KEY>",
	"<GOOGLE_KEY>", "<JWT>", "<PRIVATE_KEY>", "<BEARER>", "<URL_PASSWORD>",
}
