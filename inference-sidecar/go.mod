module github.com/weirmesh/weir/inference-sidecar

go 1.26
