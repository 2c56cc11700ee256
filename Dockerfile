# Another base is `--build-arg BASE=python:3.13-slim`, as in docker-compose.yml: then the pinned one is not fetched.
ARG BASE=pinned

# The digest says which build of the tag it is, for all processors, so that everybody builds upon the same base.
# Dependabot proposes the next one, and reads no arguments.
FROM python:3.13-slim@sha256:7c61056e61ac89e852de05f3dc6fa51a6dd2181797bceed46aa725dd7cb2cd3b AS pinned

# hadolint ignore=DL3006
FROM ${BASE} AS base

FROM base AS builder
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
COPY requirements.lock .
RUN pip wheel --require-hashes --requirement requirements.lock --wheel-dir wheels
COPY . .
# `[embedded]` brings a PostgreSQL, for an image that runs alone. By default it is left out.
ARG EXTRAS=
# From here on nothing but what the hashes vouched for; the lock's build tools build the project, and stay behind.
ENV PIP_NO_INDEX=1 PIP_FIND_LINKS=/build/wheels
RUN pip wheel --no-deps --wheel-dir dist . \
    && python -m venv --without-pip /opt/profile-lookup \
    && pip --python /opt/profile-lookup install "$(echo dist/*.whl)${EXTRAS}"

FROM base
LABEL org.opencontainers.image.title="profile-lookup" \
      org.opencontainers.image.description="A self-hosted identity lookup service that speaks the identity half of Twilio's Conversation Memory API (v1)" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN rm -rf "$(python -c 'import pip; print(*pip.__path__)')"* /usr/local/bin/pip* \
    && useradd --uid 10001 --user-group --no-create-home --home-dir /var/lib/profile-lookup --shell /usr/sbin/nologin profile-lookup \
    && install --directory --owner=10001 --group=10001 --mode=0700 /var/lib/profile-lookup
COPY --from=builder /opt/profile-lookup /opt/profile-lookup
ENV PATH=/opt/profile-lookup/bin:$PATH \
    PROFILE_LOOKUP_DATA_DIR=/var/lib/profile-lookup \
    PROFILE_LOOKUP_HOST=0.0.0.0 \
    PROFILE_LOOKUP_PORT=8000
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
# The database answers, its schema suits and the service is not about to stop. http.client, since urllib would go through
# a proxy that Docker's client may set.
HEALTHCHECK --interval=5s --timeout=6s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import http.client, os, sys; c = http.client.HTTPConnection('127.0.0.1:' + os.environ['PROFILE_LOOKUP_PORT'], timeout=5); c.request('GET', '/readyz'); sys.exit(c.getresponse().status != 200)"]
ENTRYPOINT ["profile-lookup"]
CMD ["serve"]
