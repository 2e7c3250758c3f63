# Find a Python 3.11 or later and hand over to scripts/dev.py stop.
$ErrorActionPreference = "Stop"
[Console]::OutputEncoding = [System.Text.UTF8Encoding]::new()
$env:PYTHONUTF8 = "1"
Set-Location (Join-Path $PSScriptRoot "..")

$check = "import sys; sys.exit(sys.version_info < (3, 11))"
$candidates = @($env:PYTHON, "py", "python", "python3") | Where-Object { $_ }
foreach ($python in $candidates) {
    if (-not (Get-Command $python -ErrorAction SilentlyContinue)) { continue }
    & $python -c $check
    if ($LASTEXITCODE -eq 0) {
        & $python scripts/dev.py stop @args
        exit $LASTEXITCODE
    }
}

Write-Host "✗ 需要 Python 3.11 或更高版本: https://www.python.org/downloads/"
Write-Host "✗ Python 3.11 or later is needed; set PYTHON to choose one"
exit 1
