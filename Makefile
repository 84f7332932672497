# Every target prepares what it needs: system packages by apt-get where one is missing, Python packages in .cache/venv.
# PYTHON=… names the Python of the tools, else the first suitable python3 of the PATH.

.DEFAULT_GOAL := help

# What a change must pass, the quick parts first.
TEST := format lint types unit docs build kernel sanity integration
# What also runs in test-all.
MORE := page site guides fuzz crash soak unit-pythons core-2.16 core-newest

# What tests/tools/part knows.
PARTS := setup fix format lint types unit kernel docs build sanity integration molecule molecule-trixie \
	page site guides fuzz crash soak unit-pythons core-2.16 core-newest demo bench bench-hook release

.PHONY: help
help: ## this list
	@sed -n 's/^\([a-z0-9.-]*\):.*## \(.*\)/\1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 16

.PHONY: $(PARTS)
setup: ## install what the other targets need, and link the checkout as the collection
fix: ## format the Python code, and mend what ruff can
format: ## is the Python code formatted?
lint: ## ruff, shellcheck, ansible-lint with yamllint
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
demo: ## see it work, on real containers
bench: ## measure
bench-hook: ## measure what the hook needs for 500 containers, on a test host
release: ## build the release of the version in galaxy.yml, and try it where there is nothing else
$(PARTS):
	@tests/tools/part $@

.PHONY: test
test: ## the project's tests
	@tests/tools/suite $(TEST) molecule-trixie

.PHONY: test-all
test-all: ## the tests, on other Pythons and with other ansible-cores too
	@tests/tools/suite $(TEST) molecule $(MORE)

.PHONY: clean
clean: ## remove what the targets made
	rm -rf .ansible .cache tests/output
	find . -name __pycache__ -prune -exec rm -rf {} +
