# One image for every part of the portal; compose.yaml says which part a container plays.
FROM python:3.12-slim

# make builds the environment from the lock, as on any other machine.
RUN apt-get update \
    && apt-get install -y --no-install-recommends make \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 portal \
    && install -d -o portal -g portal /portal /data

USER portal
WORKDIR /portal

# What the environment is made of comes first: it is built anew only when one of these changes.
COPY --chown=portal:portal Makefile pyproject.toml requirements.lock ./
RUN make .venv/installed

COPY --chown=portal:portal . .
ENV PATH=/portal/.venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    DATA_ROOT=/data \
    BIND=0.0.0.0:8000
# The page parts need npm's registry, so they are built here and not at every start.
RUN DATA_ROOT=/tmp/build python manage.py vendor && rm -rf /tmp/build

VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
CMD ["gunicorn", "--config", "python:xttsproject.gunicorn", "xttsproject.wsgi"]
