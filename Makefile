# The two commands are `make demo` and `make test`; `make help` names the others.
#
# Both install what is missing (Debian packages, and Python packages into .venv, pinned by hash), and
# can be run repeatedly. They need root or sudo.

VENV := .venv
PYTHON := $(VENV)/bin/python
PYTHON3 ?= python3
BUILDER := .build/venv/bin/python
LOWEST := .build/lowest/bin/python
PAGES := .build/site/bin/python -m ci.pages
SUDO := $(if $(filter 0,$(shell id -u)),,sudo --preserve-env=PGPOOL_RECOVERY_SYSTEMS)
SOURCES := src tests extension demo bench ci packages ansible hatch_build.py
COLLECTION := .build/collections/ansible_collections/pgpool_recovery/cluster

export PIP_DISABLE_PIP_VERSION_CHECK = 1
export PYTHONDONTWRITEBYTECODE = 1

.PHONY: help demo wheel packages release test test-all quick lowest lint format lock \
	system-packages systems site links recording ansible-lint

help:
	@echo "make demo    lose a node of a real cluster under load and recover it, on loopback"
	@echo "make wheel   dist/wheels: our wheel and those that it needs, pinned by hash, to install on hosts"
	@echo "make release all files of a release, from a commit with the tag of its version"
	@echo "make packages  dist/packages: the packages of the distributions, from these wheels"
	@echo "make test    lint and run all tests (about 40 minutes)"
	@echo "make test-all  the same with the whole matrix of majors"
	@echo "make quick   lint and run the tests that need no server (1 minute)"
	@echo "make lowest  run the unit tests with the lowest versions that pyproject.toml allows"
	@echo "make systems build the Debian systems with other PostgreSQL majors (once, 5 minutes, 4 GB)"
	@echo "make site    dist/site: the documentation as web pages; warnings are errors"
	@echo "make recording  run the demo, and draw docs/pictures/demo.svg from what it writes"
	@echo "make links   try the links that lead elsewhere (needs the network)"
	@echo "make ansible-lint  lint the Ansible collection"
	@echo "make format  format the code"
	@echo "make lock    update the pinned Python packages"

demo: system-packages $(VENV)/installed
	@$(SUDO) $(PYTHON) -m demo

recording: system-packages $(VENV)/installed
	@mkdir -p .build
	@$(SUDO) $(PYTHON) -m demo > .build/demo.txt
	@$(PYTHON) -m demo.recording < .build/demo.txt > docs/pictures/demo.svg

wheel: .build/installed
	@rm -rf dist/wheels && mkdir -p .build
	@$(BUILDER) -m pip download --quiet --require-hashes --only-binary :all: \
		-r requirements/runtime.txt -d dist/wheels
	@$(BUILDER) -m hatchling build -t wheel -d dist/wheels
	@{ cat requirements/runtime.txt && cd dist/wheels && sha256sum pgpool_recovery-*.whl | sed -E \
		's/^([0-9a-f]+) +pgpool_recovery-([^-]+)-.*/pgpool-recovery==\2 --hash=sha256:\1/'; \
	} > .build/requirements.txt
	@mv .build/requirements.txt dist/wheels/requirements.txt

# Everything that a release consists of, into dist/pgpool-recovery-VERSION: only from a commit with the
# tag of its version. CONTRIBUTING.md has the steps.
release: .build/release/installed
	@.build/release/bin/python -m packages.release

.build/release/installed: requirements/release.txt
	@$(PYTHON3) -m venv --clear .build/release
	@.build/release/bin/python -m pip install --quiet --require-hashes -r requirements/release.txt
	@touch $@

packages: wheel
	@PYTHONPATH=src $(BUILDER) -m packages --wheels dist/wheels --into dist/packages

# With Python 3.11 or later, and nothing but the locked build backend.
.build/installed: requirements/build.txt
	@$(PYTHON3) -m venv --clear .build/venv
	@$(BUILDER) -m pip install --quiet --require-hashes -r requirements/build.txt
	@touch $@

test-all: MATRIX := -m ""
test test-all: quick lowest site
	@ci/build-systems || echo "Continuing: tests that need a missing system are skipped."
	$(SUDO) $(PYTHON) -m ci.once_more tests --ignore=tests/unit --ignore=tests/property \
		-n 3 --dist loadfile $(MATRIX)

quick: system-packages lint
	$(PYTHON) -m pytest tests/unit tests/property src packages/manual packages/settings_example.py packages/tree.py

# In one process: some tests send it signals, and a pytest-xdist worker has more than one thread.
lowest: .build/lowest/installed
	$(LOWEST) -m pytest tests/unit

.build/lowest/installed: requirements/lowest.txt pyproject.toml | system-packages
	@echo "Installing the lowest versions of Python packages into .build/lowest"
	@/usr/bin/python3 -m venv --clear .build/lowest
	@$(LOWEST) -m pip install --quiet --require-hashes -r requirements/lowest.txt
	@$(LOWEST) -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

lint: $(VENV)/installed
	$(VENV)/bin/ruff check $(SOURCES)
	$(VENV)/bin/ruff format --check $(SOURCES)
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	$(PYTHON) -m ci.rules
	$(PYTHON) -m ci.spelling
	$(PYTHON) -m ci.rooms --check
	$(VENV)/bin/vermin --quiet --no-tips --violations -t=3.6- extension/python
	$(VENV)/bin/vermin --quiet --no-tips --violations -t=3.6- src/pgpool_recovery/pcp/client
	$(VENV)/bin/vermin --quiet --no-tips --violations -t=3.6- src/pgpool_recovery/in_server
	$(VENV)/bin/vermin --quiet --no-tips --violations -t=3.8- ansible/plugins

format: $(VENV)/installed
	$(VENV)/bin/ruff check --fix $(SOURCES)
	$(VENV)/bin/ruff format $(SOURCES)
	$(PYTHON) -m ci.rooms

site: .build/site/installed
	@$(PAGES) dist/site

links: .build/site/installed
	@$(PAGES) .build/links linkcheck

.build/site/installed: requirements/site.txt | system-packages
	@echo "Installing Sphinx into .build/site"
	@$(PYTHON3) -m venv --clear .build/site
	@.build/site/bin/pip install --quiet --require-hashes -r requirements/site.txt
	@touch $@

# Of a copy at the path that a collection has; ansible-lint leaves files beside it.
ansible-lint: .build/ansible/installed
	@rm -rf .build/collections && mkdir -p $(dir $(COLLECTION)) && cp -r ansible $(COLLECTION)
	@cd $(COLLECTION) && PATH="$(CURDIR)/.build/ansible/bin:$$PATH" \
		ANSIBLE_COLLECTIONS_PATH=$(CURDIR)/.build/collections \
		ansible-lint --offline --strict --profile production

# With the system's Python, which every user may run: the tests run it as one who is not root.
.build/ansible/installed: requirements/ansible.txt | system-packages
	@echo "Installing Ansible into .build/ansible"
	@/usr/bin/python3 -m venv --clear .build/ansible
	@.build/ansible/bin/pip install --quiet --require-hashes -r requirements/ansible.txt
	@touch $@

system-packages:
	@ci/install-packages

systems: system-packages
	@ci/build-systems

$(VENV)/installed: requirements/development.txt pyproject.toml | system-packages
	@echo "Installing Python packages into $(VENV)"
	@test -x $(PYTHON) || /usr/bin/python3 -m venv $(VENV)
	@$(PYTHON) -m pip install --quiet --require-hashes -r requirements/development.txt
	@$(PYTHON) -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

lock: $(VENV)/installed
	$(VENV)/bin/uv pip compile --quiet --python-platform linux --python-version 3.11 \
		--generate-hashes --no-header --no-emit-index-url --no-emit-find-links --upgrade \
		-o requirements/runtime.txt pyproject.toml
	$(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--no-header --no-emit-index-url --no-emit-find-links --upgrade --group dev \
		-o requirements/development.txt pyproject.toml
	$(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--no-header --no-emit-index-url --no-emit-find-links --no-annotate \
		-c requirements/development.txt -o requirements/build.txt --group build
	$(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--no-header --no-emit-index-url --no-emit-find-links --no-annotate \
		-c requirements/development.txt -o requirements/release.txt --group release
	$(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--no-header --no-emit-index-url --no-emit-find-links --upgrade --group test \
		--resolution lowest-direct -o requirements/lowest.txt pyproject.toml
	$(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--no-header --no-emit-index-url --no-emit-find-links --no-annotate --upgrade \
		-o requirements/site.txt --group site
	$(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--no-header --no-emit-index-url --no-emit-find-links --no-annotate --upgrade \
		-o requirements/ansible.txt --group ansible
