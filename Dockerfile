# The whole product but its stores: `docker compose up` brings MongoDB and Valkey beside it.
# Alone it works as well: then the embedded stores keep their data under /app/data.

FROM node:24-bookworm-slim AS frontend
WORKDIR /frontend
COPY frontend/package.json frontend/package-lock.json frontend/.npmrc ./
RUN npm ci --no-audit --no-fund
COPY frontend/ ./
RUN npm run build

FROM python:3.12-slim-bookworm
# ffmpeg and the fonts make videos; libcurl4 is what the embedded mongod links against; chromium reads what needs a browser.
RUN apt-get update \
    && apt-get install -y --no-install-recommends chromium ffmpeg fonts-noto-cjk libcurl4 \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY requirements/runtime.lock requirements/
RUN pip install --no-cache-dir --require-hashes --requirement requirements/runtime.lock
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY backend/ backend/
# The lock holds everything; this only adds the `mediacrawer` command.
RUN pip install --no-cache-dir --no-deps --no-build-isolation --editable .
COPY --from=frontend /frontend/dist frontend/dist

RUN useradd --system --uid 10001 --home-dir /app --shell /usr/sbin/nologin mediacrawer \
    && install --directory --owner mediacrawer --mode 0700 /app/data
USER mediacrawer
VOLUME /app/data
ENV HOST=0.0.0.0 PORT=8888 PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
# Without a screen; Docker's own confinement does not let Chromium make a sandbox inside it.
ENV BROWSER_MODE=headless BROWSER_SANDBOX=off
EXPOSE 8888
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f\"http://127.0.0.1:{os.environ['PORT']}/health/live\", timeout=2)"]
CMD ["python", "backend/main.py"]
