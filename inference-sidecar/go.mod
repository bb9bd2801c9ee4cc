module github.com/weirmesh/weir/inference-sidecar

go 1.26

require (
	github.com/yalue/onnxruntime_go v1.35.0
	golang.org/x/text v0.41.0
)

require (
	github.com/goccy/go-yaml v1.18.0 // indirect
	github.com/openai/openai-go/v3 v3.8.0 // indirect
	github.com/prometheus/client_golang v1.23.2 // indirect
	github.com/spiffe/go-spiffe/v2 v2.9.0 // indirect
	github.com/tidwall/gjson v1.14.4 // indirect
	github.com/tidwall/match v1.1.1 // indirect
	github.com/tidwall/pretty v1.2.1 // indirect
	github.com/tidwall/sjson v1.2.5 // indirect
)
