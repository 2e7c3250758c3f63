#!/bin/sh
# Create the two tasks of the owner's guide and print the answers.
#   ./scripts/test_create_task.sh [START_URL]      BASE and AUTH_TOKEN may be set in the environment
set -eu
BASE="${BASE:-http://localhost:8888}"
START_URL="${1:-https://example.com/}"

post() {
    # --noproxy: a proxy of the machine must not stand between us and our own server.
    set -- --silent --show-error --noproxy localhost,127.0.0.1,::1 --max-time 30 \
        --header 'Content-Type: application/json; charset=utf-8' --data-binary "$1" \
        "$BASE/api/v1/tasks?pretty=1"
    if [ -n "${AUTH_TOKEN:-}" ]; then
        set -- --header "Authorization: Bearer $AUTH_TOKEN" "$@"
    fi
    curl "$@" || {
        echo "✗ 连不上 $BASE, 请先启动: ./scripts/run.sh · no answer, start the server first" >&2
        exit 1
    }
}

echo "=== 创建小红书任务 · xhs task ==="
post '{"platform": "xhs", "type": "search", "keywords": ["露营"], "limit": 20}'

echo "=== 创建网页任务 · web task: $START_URL ==="
post '{"platform": "web", "type": "site", "start_urls": ["'"$START_URL"'"], "max_pages": 5}'
