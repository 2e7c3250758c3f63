#!/bin/sh
# Find a Python 3.11 or later and hand over to scripts/dev.py stop.
set -eu
cd "$(dirname "$0")/.."

works() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

for python in "${PYTHON:-}" python3 python3.14 python3.13 python3.12 python3.11 python; do
    if [ -n "$python" ] && works "$python"; then
        exec "$python" scripts/dev.py stop "$@"
    fi
done

echo "✗ 需要 Python 3.11 或更高版本 (Debian/Ubuntu: apt-get install -y python3 python3-venv)" >&2
echo "✗ Python 3.11 or later is needed; PYTHON=/path/to/python chooses one" >&2
exit 1
