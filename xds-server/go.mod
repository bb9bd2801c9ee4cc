module github.com/weirmesh/weir/xds-server

go 1.26

require (
	github.com/weirmesh/weir/filter v0.0.0
	github.com/weirmesh/weir/filter/policy v0.0.0
)

replace (
	github.com/weirmesh/weir/filter => ../filter
	github.com/weirmesh/weir/filter/policy => ../filter/policy
)
