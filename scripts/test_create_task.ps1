# Create the two tasks of the owner's guide and print the answers.
#   .\scripts\test_create_task.ps1 [START_URL]     BASE and AUTH_TOKEN may be set in the environment
param([string]$StartUrl = "https://example.com/")
$ErrorActionPreference = "Stop"
[Console]::OutputEncoding = [System.Text.UTF8Encoding]::new()
$base = if ($env:BASE) { $env:BASE } else { "http://localhost:8888" }
$headers = @{}
if ($env:AUTH_TOKEN) { $headers["Authorization"] = "Bearer $env:AUTH_TOKEN" }

function Send-Task([hashtable]$Task) {
    # As bytes: Windows PowerShell 5.1 would send a string as Latin-1 and turn the Chinese into question marks.
    $body = [System.Text.Encoding]::UTF8.GetBytes(($Task | ConvertTo-Json -Depth 5))
    # The raw bytes of the answer, decoded here: 5.1 would read JSON without a charset as Latin-1.
    $answer = Invoke-WebRequest -Uri "$base/api/v1/tasks?pretty=1" -Method Post -Headers $headers `
        -ContentType "application/json; charset=utf-8" -Body $body -TimeoutSec 30 -UseBasicParsing
    Write-Host ([System.Text.Encoding]::UTF8.GetString($answer.RawContentStream.ToArray()))
}

Write-Host "=== 创建小红书任务 · xhs task ==="
Send-Task @{ platform = "xhs"; type = "search"; keywords = @("露营"); limit = 20 }

Write-Host "=== 创建网页任务 · web task: $StartUrl ==="
Send-Task @{ platform = "web"; type = "site"; start_urls = @($StartUrl); max_pages = 5 }
