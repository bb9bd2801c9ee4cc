package corpus

import "github.com/weirmesh/weir/filter/policy/spec"

// templates of each kind: %s is the value, and everything else around it as people
// write it. Kinds that are weak without a word for them have one in all templates.
var templates = [spec.EntityKinds][]string{
	spec.EntityPhone:       {"Please reach me at %s after six.", "手机号%s请回拨", "我的电话是 %s，谢谢。", "tel:%s", "Kunde %s hat angerufen", "订单收件人 %s 张三"},
	spec.EntityEmail:       {"Write to %s, please.", "邮箱%s联系我", "cc: [%s]", "mailto:%s?subject=hi", "请把合同发到 %s。", "(%s)"},
	spec.EntityResidentID:  {"身份证%s，请核对", "ID card no. %s was presented.", "客户编号：%s；", "Der Ausweis %s liegt vor", "%s"},
	spec.EntityBankCard:    {"Charge it to %s today.", "卡号%s有效", "My card is %s, expires 09/27.", "请退款到 %s，谢谢", "PAN=%s"},
	spec.EntityLandline:    {"办公室电话：%s", "The office phone is %s.", "传真 %s", "座机%s转8001"},
	spec.EntityPhoneUS:     {"Call %s before noon.", "My phone number is %s.", "phone: %s", "致电 %s"},
	spec.EntityPhoneIntl:   {"Ring me at %s, please.", "Tel. %s", "国际电话 %s 请拨", "WhatsApp %s"},
	spec.EntityPassport:    {"护照号码%s，已核验", "Her passport number is %s.", "passport: %s", "护照：%s。"},
	spec.EntityPermit:      {"回乡证号%s，有效期五年", "Home return permit %s was shown.", "港澳通行证 %s"},
	spec.EntityPlate:       {"车牌%s违停", "The car %s was towed.", "停在B2的%s请移车", "%s"},
	spec.EntityUSCC:        {"统一社会信用代码：%s", "Company %s was founded in 2001.", "发票抬头税号%s，谢谢", "%s"},
	spec.EntityHKID:        {"香港身份证%s", "HKID %s belongs to the applicant.", "Holder of %s, Kowloon."},
	spec.EntityTWID:        {"身分證字號 %s", "The applicant's ID %s is valid.", "客戶%s已到"},
	spec.EntityMacauID:     {"澳门居民身份证%s", "Macau ID %s was shown.", "澳門身份證：%s。"},
	spec.EntitySSN:         {"My SSN is %s.", "SSN%sx", "Social security number: %s", "社安号 %s"},
	spec.EntityIBAN:        {"Please transfer it to %s by Friday.", "IBAN: %s", "汇款账号%s，谢谢", "(%s)"},
	spec.EntityIP:          {"The host at %s does not answer.", "IP是%s的机器", "Login from %s failed", "ping %s"},
	spec.EntityMAC:         {"MAC %s is blocked.", "网卡地址%s", "the interface %s flaps"},
	spec.EntityIMEI:        {"IMEI: %s", "手机串号%s，已激活", "The device IMEI is %s."},
	spec.EntityVIN:         {"VIN %s", "车架号%s需要年检", "The chassis number is %s.", "sold %s in May"},
	spec.EntityAWSKey:      {"aws_access_key_id = %s", "export AWS_ACCESS_KEY_ID=%s", "密钥%s泄露了", "key %s"},
	spec.EntityGitHubToken: {"GITHUB_TOKEN=%s", "use %s to push", "令牌：%s"},
	spec.EntitySlackToken:  {"SLACK_TOKEN=%s", "the bot uses %s now", "令牌：%s"},
	spec.EntityOpenAIKey:   {"OPENAI_API_KEY=%s", "api_key='%s'", "我的密钥是%s，不要外传"},
	spec.EntityGoogleKey:   {"key=%s&q=x", "maps key %s", "谷歌密钥 %s"},
	spec.EntityJWT:         {"token %s expired", "Cookie: session=%s;", "令牌%s已过期"},
	spec.EntityPrivateKey:  {"Here it is:\\n%s\\nKeep it safe.", "私钥如下：%s"},
	spec.EntityBearer:      {"Authorization: Bearer %s", "curl -H 'Authorization: Bearer %s' x", "请求头 Bearer %s"},
	spec.EntityURLPassword: {"postgres://%s@db.local:5432/app", "git clone https://%s@git.example/x.git", "连接串 redis://%s@cache:6379/0"},
}
