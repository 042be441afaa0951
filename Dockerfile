# Images for training and for serving. README.md says how to build and run them.
#   docker build -t crnn:cpu .                     # trains, evaluates, exports, runs the demo and the tests
#   docker build -t crnn:server --target server .  # the HTTP service alone, without MindSpore
#   docker build -t crnn:ascend --build-arg BASE=quay.io/ascend/cann:8.5.0-910b-ubuntu22.04-py3.11 \
#       --build-arg EXTRA_REQUIREMENTS=requirements-ascend-lock.txt .
#   docker build -t crnn:gpu --build-arg BASE=nvidia/cuda:11.8.0-cudnn8-runtime-ubuntu22.04 .
# CANN: MindSpore 2.8.0 wants 8.2, 8.3 or 8.5 (mindspore/run_check/_check_version.py of the wheel); images for
# the first Ascend 910 are tagged 910 instead of 910b, those of openEuler openeuler24.03; all are there for Arm
# and x86-64.
# CUDA: MindSpore 2.8.0 brings a plug-in for CUDA 11.6, whose images end at Ubuntu 20.04 without Python 3.11;
# those of 11.8 have the same library versions. Neither has been run on its hardware.
# A tag can be moved to another image. What one means today, to be given as --build-arg PYTHON_IMAGE=python@sha256:...:
#   docker buildx imagetools inspect python:3.11.13-slim-bookworm --format '{{.Manifest.Digest}}'
ARG PYTHON_IMAGE=python:3.11.13-slim-bookworm
# The model zoo calls it FROM_IMAGE_NAME.
ARG FROM_IMAGE_NAME=${PYTHON_IMAGE}
ARG BASE=${FROM_IMAGE_NAME}

FROM ${PYTHON_IMAGE} AS server-packages
WORKDIR /opt/crnn
COPY requirements-server-lock.txt ./
RUN python3 -m venv .venv \
    && .venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes \
        -r requirements-server-lock.txt \
    && .venv/bin/pip uninstall --yes pip setuptools

FROM ${PYTHON_IMAGE} AS server
LABEL org.opencontainers.image.title="CRNN text recogniser, HTTP service" \
      org.opencontainers.image.licenses="Apache-2.0"
ARG USER_ID=1000
RUN useradd --non-unique --uid "${USER_ID}" --create-home crnn
ENV PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
WORKDIR /opt/crnn
COPY --from=server-packages /opt/crnn/.venv .venv
COPY LICENSE default_config.yaml ./
COPY scripts/common.sh scripts/health.py scripts/run_server.sh scripts/
COPY pretrained pretrained
COPY src src
USER ${USER_ID}
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s CMD ["/opt/crnn/.venv/bin/python", "/opt/crnn/scripts/health.py"]
# Inside a container only all addresses are reached from outside; `docker run -p` decides who gets that far.
ENV SERVE_HOST=0.0.0.0
ENTRYPOINT ["bash", "/opt/crnn/scripts/run_server.sh"]
CMD ["pretrained", "8000"]

FROM ${BASE} AS train
LABEL org.opencontainers.image.title="CRNN text recogniser for MindSpore" \
      org.opencontainers.image.licenses="Apache-2.0"
SHELL ["/bin/bash", "-c"]
# libgomp1 is MindSpore's OpenMP. CUDA's images have no Python 3.11, which is needed. No versions,
# as distributions keep the newest of a package only.
# hadolint ignore=DL3008,DL3041,SC2046
RUN if ! command -v apt-get >/dev/null; then \
        dnf install --assumeyes libgomp shadow-utils && dnf clean all; \
    else \
        apt-get update \
        && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends libgomp1 \
            $(command -v python3.11 >/dev/null || echo python3.11 python3.11-venv) \
        && rm -rf /var/lib/apt/lists/*; \
    fi
ARG USER_ID=1000
RUN useradd --non-unique --uid "${USER_ID}" --create-home crnn && install --directory --owner=crnn /opt/crnn
WORKDIR /opt/crnn
ARG EXTRA_REQUIREMENTS=""
COPY requirements*.txt ./
COPY scripts/environment.sh scripts/
# The environment that run_demo.sh and run_tests.sh would make, so that they find it and need no network.
RUN export PIP_NO_CACHE_DIR=1 PYTHON=python3.11 \
    && . scripts/environment.sh \
    && make_environment \
    && if [ -n "${EXTRA_REQUIREMENTS}" ]; then \
        "${VENV_PYTHON}" -m pip install --disable-pip-version-check -r "${EXTRA_REQUIREMENTS}"; \
    fi
COPY --chown=crnn . .
RUN .venv/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps --editable .
ENV PATH=/opt/crnn/.venv/bin:${PATH} \
    PYTHONDONTWRITEBYTECODE=1 \
    GLOG_v=3
USER ${USER_ID}
CMD ["bash"]
