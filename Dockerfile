# The whole product but its stores: `docker compose up` brings MongoDB and Valkey beside it.
# Alone it works as well: then the embedded stores keep their data under /app/data.

FROM node:24-bookworm-slim AS frontend
WORKDIR /frontend
COPY frontend/package.json frontend/package-lock.json frontend/.npmrc ./
RUN npm ci --no-audit --no-fund
COPY frontend/ ./
# Readable for the user who serves them, whatever the modes of the checkout were.
RUN npm run build && chmod -R a+rX dist

# The Python that the tests run on. It is the same in both stages: a venv points at its Python.
FROM python:3.11-slim-bookworm AS backend
WORKDIR /app
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
COPY requirements/runtime.lock requirements/
RUN pip install --no-cache-dir --require-hashes --requirement requirements/runtime.lock
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY backend/ backend/
# The lock holds everything; this only adds the `mediacrawer` command. Compiled here: at run time nothing can be written.
RUN pip install --no-cache-dir --no-deps --no-build-isolation --editable . \
    && python -m compileall -q --invalidation-mode unchecked-hash backend \
    && chmod -R a+rX /app

FROM python:3.11-slim-bookworm
# ffmpeg and the fonts make videos; libcurl4 is what the embedded mongod links against; chromium reads what needs a
# browser, and libatomic1 is what the Node.js that drives it links against; tini reaps what chromium leaves behind and
# hands signals on.
RUN apt-get update \
    && apt-get install -y --no-install-recommends chromium ffmpeg fonts-noto-cjk libatomic1 libcurl4 tini tzdata \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /app
RUN useradd --system --uid 10001 --home-dir /tmp --no-create-home --shell /usr/sbin/nologin mediacrawer \
    && install --directory --owner mediacrawer --mode 0700 /app/data
COPY --from=backend /opt/venv /opt/venv
COPY --from=backend /app /app
COPY --from=frontend /frontend/dist frontend/dist

USER mediacrawer
# Stores, artifacts, browser profiles, and secrets.key, which opens what is sealed in the database.
VOLUME /app/data
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PYTHONUTF8=1
# The only places that are written to are /app/data and /tmp.
ENV HOME=/tmp DATA_DIR=/app/data HOST=0.0.0.0 PORT=8888
# Without a screen; Docker's own confinement does not let Chromium make a sandbox inside it.
ENV BROWSER_MODE=headless BROWSER_SANDBOX=off
EXPOSE 8888
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f\"http://127.0.0.1:{os.environ['PORT']}/health/ready\", timeout=4)"]
ENTRYPOINT ["tini", "--"]
CMD ["python", "backend/main.py"]
