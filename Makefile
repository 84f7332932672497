# The short way to the project's sessions of nox: `make unit` is `nox -e unit`, and installs nox first, in .cache/tools.
# A session prepares what it needs: system packages by apt-get where one is missing, Python packages in .cache/nox.
# PYTHON=… names the Python of the tools, else the first suitable python3 of the PATH.

.DEFAULT_GOAL := help

NOX := tests/tools/nox
LINT := codeqa yamllint extra-checks shellcheck eslint ansible-lint
DOCS := docs-check license-check changelog
# What a change must pass, the quick parts first.
TEST := formatters $(LINT) typing unit $(DOCS) build kernel sanity integration
OLDEST := sanity-2.16 integration-2.16 molecule-2.16
NEWEST := sanity-2.21 integration-2.21 molecule-2.21
# What also runs in test-all.
MORE := page site guides fuzz crash soak unit-pythons $(OLDEST) $(NEWEST)

.PHONY: help
help: ## this list
	@sed -n 's/^\([a-z0-9.-]*\):.*## \(.*\)/\1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 16

.PHONY: test
test: ## the project's tests
	@CI=true $(NOX) -e $(TEST) molecule-trixie

.PHONY: test-all
test-all: ## the tests, on other Pythons and with other ansible-cores too
	@CI=true $(NOX) -e $(TEST) molecule $(MORE)

.PHONY: setup
setup: ## install nox and the environments of the quick sessions, and link the checkout as the collection
	@$(NOX) --install-only -e fix typing unit ansible-lint
	@echo "for a shell with nox:                     . .cache/tools/bin/activate"
	@echo "for a shell with Ansible and ansible-lint: . .cache/nox/ansible-lint/bin/activate"

# Without CI they would change the files.
.PHONY: format
format: ## is the Python code formatted?
	@CI=true $(NOX) -e formatters

.PHONY: demo
demo: ## see it work, on real containers
	@demo/run

# The sessions of their names, and those of a group.
SESSIONS := fix unit kernel crash soak build sanity integration molecule molecule-trixie page guides site fuzz \
	unit-pythons bench bench-hook release
GROUPS := lint types docs core-2.16 core-newest

.PHONY: $(SESSIONS) $(GROUPS)
fix: ## format Python and shell, and mend what ruff can
lint: ## ruff, yamllint, shellcheck and shfmt, eslint, ansible-lint
types: ## mypy
unit: ## unit tests
kernel: ## tests with real namespaces, as root
crash: ## kill a run at each of its system calls, as root; take a PID anew at each
soak: ## 10,000 random steps, a minute of all at once, 1,000 namespaces, as root
docs: ## are the documentation, the changelog and the licences well-formed?
build: ## build the collection, try what was built, and have Galaxy's importer look at it
sanity: ## ansible-test sanity
integration: ## ansible-test integration, on this machine
molecule: ## play the collection on test hosts; SCENARIO="default become" names some, HOSTS=trixie some of their hosts
molecule-trixie: ## the first of it: links, the hook and every engine, on Debian 13
page: ## open the page that the playbook draws in Chromium
guides: ## run the commands that the documentation shows; PAGES names some
site: ## build the documentation as a site
fuzz: ## feed the parsers what nobody means, by atheris; TARGETS="http ledger_file" names some
unit-pythons: ## unit and kernel tests on every Python from 3.8 to 3.14 that is found
core-2.16: ## sanity, integration, and Debian 12 with the oldest ansible-core
core-newest: ## sanity, integration, and Debian 13 and sid with the newest ansible-core
bench: ## measure
bench-hook: ## measure what the hook needs for 500 containers, on a test host
release: ## build the release of the version in galaxy.yml, and try it where there is nothing else

$(SESSIONS):
	@$(NOX) -e $@
lint:
	@$(NOX) -e $(LINT)
types:
	@$(NOX) -e typing
docs:
	@$(NOX) -e $(DOCS)
core-2.16:
	@$(NOX) -e $(OLDEST)
core-newest:
	@$(NOX) -e $(NEWEST)

.PHONY: clean
clean: ## remove what the targets made
	rm -rf .ansible .cache tests/output
	find . -name __pycache__ -prune -exec rm -rf {} +
