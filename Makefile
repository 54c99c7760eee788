# make demo        the whole study on synthetic heads, in demo/, on a laptop
# make test        every test that needs only pip packages
# make test-all    tests that take minutes or need Debian packages
.PHONY: demo test test-all clean

PYTHON ?= python3
VENV := .venv
# Stamp files record installations, so that a second call installs nothing.
RUN_STAMP := $(VENV)/.requirements
DEV_STAMP := $(VENV)/.requirements-dev
STRIP_STAMP := $(VENV)/.requirements-strip
SLURM_STAMP := $(VENV)/.requirements-slurm

demo: $(RUN_STAMP)
	$(VENV)/bin/snakemake --cores all --configfile config/demo.yaml --directory demo

test: $(DEV_STAMP)
	$(VENV)/bin/python -m pytest -m "not long" --numprocesses 2 --dist loadfile

test-all: $(DEV_STAMP) $(STRIP_STAMP) $(SLURM_STAMP)
	$(VENV)/bin/python -m pytest -m long --numprocesses 2 --dist loadfile

# an editable install, so that edits take effect at once
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

# --no-deps: see requirements-slurm.txt
$(SLURM_STAMP): requirements-slurm.txt $(RUN_STAMP)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements-slurm.txt
	@touch $@

clean:
	rm -rf $(VENV) demo
