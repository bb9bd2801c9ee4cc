module github.com/weirmesh/weir/filter/policy

go 1.26
