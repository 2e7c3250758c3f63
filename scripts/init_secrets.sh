#!/bin/sh
# Make what must be secret, once: .env beside docker-compose.yml, readable by you alone, with a random AUTH_TOKEN.
#   ./scripts/init_secrets.sh          What .env holds already is never changed; run it as often as you like.
set -eu
cd "$(dirname "$0")/.."
umask 077

token() {
    # 256 bits, in letters that need no quoting anywhere.
    head -c 32 /dev/urandom | od -An -vtx1 | tr -d ' \n'
}

if grep -Eq '^[[:space:]]*(export[[:space:]]+)?AUTH_TOKEN=["'"'"']?[^"'"'"'[:space:]#]' .env 2>/dev/null; then
    chmod 600 .env
    echo "✓ .env 里已有 AUTH_TOKEN, 未改动 · .env has an AUTH_TOKEN already, kept"
    exit 0
fi

made=$(token)
if [ "${#made}" -ne 64 ]; then
    echo "✗ 无法生成随机数 · no random numbers to be had from /dev/urandom" >&2
    exit 1
fi
# A last line without its end would swallow ours. Appending makes the file when it is not there.
if [ -s .env ] && [ -n "$(tail -c 1 .env)" ]; then echo >>.env; fi
printf 'AUTH_TOKEN=%s\n' "$made" >>.env
chmod 600 .env
echo "✓ 已在 .env 写入新的 AUTH_TOKEN (仅本人可读) · a new AUTH_TOKEN is in .env, readable by you alone"
echo "  docker compose up --build --detach"
