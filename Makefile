# Runs the project's nox sessions: `make unit` installs nox in .cache/tools, and runs `nox -e unit`. A session installs the
# packages that it needs: Debian packages with apt-get if they are missing, Python packages in .cache/nox. PYTHON=… selects
# the Python of the tools; the default is the first suitable python3 in the PATH.

.DEFAULT_GOAL := help

NOX := tests/tools/nox
LINT := codeqa yamllint extra-checks shellcheck eslint ansible-lint
DOCS := docs-check license-check changelog
# The tests that every change has to pass, and those that only test-all runs, in two lanes that run side by side: those that
# need an engine, and the others. unit-pythons needs none: it makes the lanes equally long.
OWN := formatters $(LINT) typing unit $(DOCS) build kernel sanity
OWN_MORE := page site fuzz crash soak sanity-2.16 sanity-2.21
ENGINE := integration
ENGINE_MORE := molecule guides integration-2.16 molecule-2.16 integration-2.21 molecule-2.21 unit-pythons

.PHONY: help
help: ## list the targets
	@sed -n 's/^\([a-z0-9.-]*\):.*## \(.*\)/\1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 16

.PHONY: test
test: ## run the tests that every change has to pass
	@CI=true $(NOX) -e $(ENGINE) molecule-trixie + -e $(OWN)

.PHONY: test-all
test-all: ## run all tests, also with other versions of Python and ansible-core
	@CI=true $(NOX) -e $(ENGINE) $(ENGINE_MORE) + -e $(OWN) $(OWN_MORE)

.PHONY: setup
setup: ## install nox and the environments of the quick sessions, and link the checkout as the collection
	@$(NOX) --install-only -e fix typing unit ansible-lint
	@echo "for a shell with nox:                     . .cache/tools/bin/activate"
	@echo "for a shell with Ansible and ansible-lint: . .cache/nox/ansible-lint/bin/activate"

# Without CI, the formatters would change the files.
.PHONY: format
format: ## check the format of the Python code
	@CI=true $(NOX) -e formatters

.PHONY: demo
demo: ## show the collection at work, on real containers
	@demo/run

# Each of SESSIONS runs the session of that name. Each of GROUPS runs several sessions.
SESSIONS := fix unit kernel crash soak build sanity integration molecule molecule-trixie page guides site fuzz \
	unit-pythons bench bench-hook release
GROUPS := lint types docs core-2.16 core-newest

.PHONY: $(SESSIONS) $(GROUPS)
fix: ## format Python and shell scripts, and apply the fixes of ruff
lint: ## run ruff, yamllint, shellcheck and shfmt, eslint, ansible-lint
types: ## run mypy
unit: ## run the unit tests
kernel: ## run the tests with real namespaces, as root
crash: ## kill a run at each system call, and reuse a PID at each system call, as root
soak: ## run 10,000 random steps, many programs at once for a minute, 1,000 doctors and 1,000 namespaces, as root
docs: ## check the documentation, the changelog and the licenses
build: ## build the collection, check it with Galaxy's importer, install it, and try it
sanity: ## run ansible-test sanity
integration: ## run ansible-test integration, on this machine
molecule: ## run the Molecule scenarios on test hosts; SCENARIO="default become" and HOSTS=trixie select some
molecule-trixie: ## run the main scenarios on Debian 13: links, the hook and all engines
page: ## test the page that the playbook draws, in Chromium
guides: ## run the commands that the documentation shows; PAGES selects pages
site: ## build the documentation as a site
fuzz: ## run the parsers on hostile input, with atheris; TARGETS="http ledger_file" selects some
unit-pythons: ## run the unit and kernel tests on every installed Python from 3.8 to 3.14
core-2.16: ## run sanity, integration, and Debian 12, with the oldest ansible-core
core-newest: ## run sanity, integration, and Debian 13 and sid, with the newest ansible-core
bench: ## measure the modules, and compare them with other tools
bench-hook: ## measure the resource usage of the hook for 500 containers, on a test host
release: ## build the release of the version in galaxy.yml, and try it in an empty environment

$(SESSIONS):
	@$(NOX) -e $@
lint:
	@$(NOX) -e $(LINT)
types:
	@$(NOX) -e typing
docs:
	@$(NOX) -e $(DOCS)
core-2.16:
	@$(NOX) -e sanity-2.16 integration-2.16 molecule-2.16
core-newest:
	@$(NOX) -e sanity-2.21 integration-2.21 molecule-2.21

.PHONY: clean
clean: ## remove the files that the other targets made
	rm -rf .ansible .cache tests/output
	find . -name __pycache__ -prune -exec rm -rf {} +
