# Everything here runs from a fresh clone: the first target that needs .venv makes it.
# `make help` lists the targets.

PYTHON_BIN := .venv/bin
READY := .venv/.ready
REPORTS := .cache/reports
WORKERS ?= 2
PYTEST = $(PYTHON_BIN)/pytest -n $(WORKERS) --dist loadfile
# With real processes on a loaded machine; what is run again is listed at the end, and is to be mended.
AGAIN := --reruns 2 -rR --rerun-show-tracebacks
ARGS ?=
BUILD := from testbed.cluster import kind, requirements; from testbed.cluster.binaries import apart, needed, programs; \
	programs(*needed(controllers=True, node=requirements.met()), "helm")

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test lint unit pythons integration slow chart e2e conformance image sbom audit release binaries cluster cluster-down bench \
	bench-sidecar crds dashboard reference clean

help: ## list the targets
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  make \1 | \2/p' Makefile | column -t -s '|' 2>/dev/null \
		|| sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  make \1: \2/p' Makefile

demo: $(READY) ## from an AwsStsRequest to credentials that AWS takes, on a real cluster on this machine
	@$(PYTHON_BIN)/python -m testbed.demo

test: $(READY) ## lint, unit, integration; CI runs more (.ci/run)
	@rm -rf $(REPORTS)
	@$(MAKE) --no-print-directory lint unit integration
	@$(PYTHON_BIN)/python -m testbed.verdict lint $(REPORTS)/unit.xml $(REPORTS)/integration.xml

lint: $(READY) ## style, types, direction of imports, CRDs as the models say
	$(PYTHON_BIN)/ruff check
	$(PYTHON_BIN)/ruff format --check
	$(PYTHON_BIN)/mypy
	$(PYTHON_BIN)/lint-imports
	@rm -rf .cache/crds && mkdir -p .cache/crds
	$(PYTHON_BIN)/python -m awssts.domain.crd .cache/crds
	@diff -r -x README.md crds .cache/crds || { echo "crds/ is not what the models say: run make crds"; exit 1; }
	@diff -r charts/awssts/files/crds .cache/crds || { echo "the chart's CRDs are old: run make crds"; exit 1; }

unit: $(READY) ## tests without a cluster
	@mkdir -p $(REPORTS)
	$(PYTEST) tests/unit --junitxml=$(REPORTS)/unit.xml $(ARGS)

pythons: $(READY) ## the unit tests with the other Pythons of 3.11 to 3.13 that are on this machine
	@mkdir -p $(REPORTS)
	@$(PYTHON_BIN)/python -m testbed.pythons $(ARGS)

integration: $(READY) binaries ## tests on a real API server and a strict STS
	@mkdir -p $(REPORTS)
	$(PYTEST) tests/integration $(AGAIN) -m "not slow" --junitxml=$(REPORTS)/integration.xml $(ARGS)

slow: $(READY) binaries ## tests of minutes in real time: ten codes in a row, an idle minute
	@mkdir -p $(REPORTS)
	$(PYTEST) tests/integration $(AGAIN) -m slow --junitxml=$(REPORTS)/slow.xml $(ARGS)
	@$(PYTHON_BIN)/python -m testbed.verdict $(REPORTS)/slow.xml

conformance: $(READY) ## six real SDKs on the sidecar and on mounted files; AWSSTS_GOLDEN=write renews docs/consume.md
	@mkdir -p $(REPORTS)
	@$(PYTHON_BIN)/python -m tests.conformance.build
	$(PYTHON_BIN)/pytest -n 4 tests/conformance $(AGAIN) --junitxml=$(REPORTS)/conformance.xml $(ARGS)
	@$(PYTHON_BIN)/python -m tests.conformance.table $(REPORTS)/conformance.xml
	@$(PYTHON_BIN)/python -m testbed.verdict $(REPORTS)/conformance.xml

chart: $(READY) binaries ## the Helm chart: what it renders, a real API server's opinion, install to uninstall
	@mkdir -p $(REPORTS)
	$(PYTEST) tests/chart $(AGAIN) --junitxml=$(REPORTS)/chart.xml $(ARGS)
	@$(PYTHON_BIN)/python -m testbed.verdict $(REPORTS)/chart.xml

e2e: BUILD += ; programs("kind") if kind.chosen() else apart("kube-network-policies")
e2e: $(READY) binaries image ## the image, from the chart, on a node with pods; takes root and Debian's packages, or Docker
	@mkdir -p $(REPORTS)
	$(PYTHON_BIN)/pytest tests/e2e $(AGAIN) --durations=0 --junitxml=$(REPORTS)/e2e.xml $(ARGS)
	@$(PYTHON_BIN)/python -m testbed.verdict $(REPORTS)/e2e.xml

image: $(READY) ## build the image without Docker, as an archive for `docker load` or `ctr images import`
	@$(PYTHON_BIN)/python -m testbed.image

sbom: $(READY) ## dist/awssts.cdx.json: what the image has of PyPI, in CycloneDX
	@mkdir -p dist
	$(PYTHON_BIN)/uv export --quiet --locked --no-dev --preview-features sbom-export --format cyclonedx1.5 -o dist/awssts.cdx.json

audit: $(READY) ## known weaknesses of the libraries in uv.lock; AWSSTS_OSV_URL names a mirror of osv.dev
	@$(PYTHON_BIN)/python -m testbed.audit

release: $(READY) ## dist/: wheel, chart, image, SBOM, sums, provenance of a tagged commit; ARGS=--snapshot of any
	@AWSSTS_AUDIT=required $(PYTHON_BIN)/python -m testbed.release $(ARGS)

binaries: $(READY) ## build the cluster's programs, once: minutes, kept in ~/.cache/awssts
	@$(PYTHON_BIN)/python -c '$(BUILD)'

cluster: $(READY) ## start a cluster and leave it running; ARGS="--controllers --audit" for more
	@$(PYTHON_BIN)/python -m testbed cluster up $(ARGS)

cluster-down: $(READY) ## end that cluster
	@$(PYTHON_BIN)/python -m testbed cluster down

bench: $(READY) binaries ## time, memory and calls with many requests; ARGS="--requests 10000" for more
	@$(PYTHON_BIN)/python -m bench $(ARGS)

bench-sidecar: $(READY) ## size, start and speed of the sidecar, beside a bare aiohttp handler; with wrk
	@$(PYTHON_BIN)/python -m bench.sidecar $(ARGS)

dashboard: $(READY) binaries ## docs/images/dashboard.png anew, from a run of a quarter of an hour with a real Prometheus
	@UV_PYTHON_DOWNLOADS=never $(PYTHON_BIN)/uv run --quiet --locked --group docs python -m testbed.monitoring $(ARGS)

crds: $(READY) ## write crds/, and the chart's, anew from the models; and the chart's README from its values
	$(PYTHON_BIN)/python -m awssts.domain.crd crds
	$(PYTHON_BIN)/python -m awssts.domain.crd charts/awssts/files/crds
	$(PYTHON_BIN)/python -m testbed.values > charts/awssts/README.md

reference: $(READY) ## write docs/cli.md and docs/reference-*.md anew from the commands, the models, the errors, the metrics
	$(PYTHON_BIN)/python -m awssts.entry.reference docs/cli.md
	$(PYTHON_BIN)/python -m testbed.fields docs
	$(PYTHON_BIN)/python -m testbed.told docs

clean: ## remove .venv and what tools left here; the cluster's programs stay in ~/.cache/awssts
	rm -rf .venv .cache .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): uv.lock pyproject.toml testbed/bootstrap.sh
	@sh testbed/bootstrap.sh
