# The image of operator, gateway and sidecar: a Python, what uv.lock names, and nothing else: no shell, no packages.
#
#   docker build -t awssts .            with a base from Docker Hub
#   make image                          without Docker, with buildah on a base of Debian's packages
#
# BASE is any Debian with Python 3.11 to 3.13, its venv module and ca-certificates; pin it by digest for a release.
ARG BASE=docker.io/library/python:3.13-slim-bookworm

FROM ${BASE} AS build
# Paths and indexes of the place where it is built; none of them gets into the image.
ARG PIP_INDEX_URL
ARG UV_DEFAULT_INDEX
ARG SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
ARG PIP_CERT=/etc/ssl/certs/ca-certificates.crt
ENV UV_PROJECT_ENVIRONMENT=/app UV_PYTHON_DOWNLOADS=never UV_LINK_MODE=copy UV_SYSTEM_CERTS=true
WORKDIR /src
COPY pyproject.toml uv.lock ./
RUN python3 -m venv /uv \
    && version=$(sed -n '/^name = "uv"$/{n;s/^version = "\(.*\)"$/\1/p;}' uv.lock) \
    && /uv/bin/pip install --quiet --disable-pip-version-check --no-cache-dir "uv==${version}" \
    && /uv/bin/uv sync --quiet --locked --no-dev --no-install-project --no-cache --python "$(command -v python3)"
COPY README.md LICENSE ./
COPY operator ./operator
COPY image ./image
RUN /uv/bin/uv sync --quiet --locked --no-dev --no-editable --no-cache --python "$(command -v python3)" \
    && python3 image/rootfs.py /app /rootfs

FROM scratch
ARG VERSION=0.0.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="awssts" \
      org.opencontainers.image.description="Temporary AWS credentials for Kubernetes pods, with MFA, that renew themselves" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="https://github.com/awssts/awssts" \
      org.opencontainers.image.documentation="https://github.com/awssts/awssts/tree/main/docs" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /rootfs /
ENV PATH=/app/bin HOME=/home/awssts LANG=C.UTF-8 \
    PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
USER 65532:65532
WORKDIR /home/awssts
ENTRYPOINT ["awssts"]
CMD ["--help"]
