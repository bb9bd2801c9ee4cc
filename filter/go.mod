module github.com/weirmesh/weir/filter

go 1.26

require (
	github.com/tetratelabs/proxy-wasm-go-sdk v0.24.0
	github.com/tetratelabs/wazero v1.12.0
	github.com/weirmesh/weir/filter/policy v0.0.0
)

require golang.org/x/sys v0.44.0 // indirect

replace github.com/weirmesh/weir/filter/policy => ./policy
