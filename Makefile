# make demo        the whole study on synthetic heads, in demo/, on a laptop
# make test        every test that needs nothing but pip
# make test-all    the others: those that need minutes or Debian packages
.PHONY: demo test test-all clean

PYTHON ?= python3
VENV := .venv
# What is installed is stamped, so that a second call installs nothing.
RUN_STAMP := $(VENV)/.requirements
DEV_STAMP := $(VENV)/.requirements-dev
STRIP_STAMP := $(VENV)/.requirements-strip
SLURM_STAMP := $(VENV)/.requirements-slurm

demo: $(RUN_STAMP)
	$(VENV)/bin/snakemake --cores all --configfile config/demo.yaml --directory demo

test: $(DEV_STAMP)
	$(VENV)/bin/python -m pytest -m "not long"

test-all: $(DEV_STAMP) $(STRIP_STAMP) $(SLURM_STAMP)
	$(VENV)/bin/python -m pytest -m long --numprocesses 2 --dist loadfile

# the library is used where it lies, so that an edit counts at once
$(RUN_STAMP): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11 ...")'
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(DEV_STAMP): requirements-dev.txt $(RUN_STAMP)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

$(STRIP_STAMP): requirements-strip.txt $(RUN_STAMP)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-strip.txt
	@touch $@

# without dependencies, see there
$(SLURM_STAMP): requirements-slurm.txt $(RUN_STAMP)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements-slurm.txt
	@touch $@

clean:
	rm -rf $(VENV) demo
