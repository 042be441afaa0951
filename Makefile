PYTHON := .venv/bin/python

.PHONY: check test demo format options lock

check:  ## format, lint, types, fast tests
	bash -c 'source scripts/environment.sh && make_environment'
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .
	$(PYTHON) -m mypy
	bash scripts/run_tests.sh fast

test:  ## all tests with coverage
	bash scripts/run_tests.sh

demo:  ## words in, a trained recogniser out
	bash scripts/run_demo.sh

format:  ## put the code into the project's form
	$(PYTHON) -m ruff format .
	$(PYTHON) -m ruff check --fix .

options:  ## write the comments of default_config.yaml anew from the option classes
	PYTHONPATH=src $(PYTHON) -m crnn_mindspore.options.documents

lock:  ## write the lock files anew from the lists of requirements
	$(PYTHON) -m pip install --disable-pip-version-check --quiet uv==0.13.9
	for name in requirements requirements-server requirements-ascend; do \
		{ echo "# $$name.txt with all that it brings, for Linux and Python 3.11, each file by its hash. Written by \`make lock\`." && \
		$(PYTHON) -m uv pip compile --quiet --python-version 3.11 --python-platform linux \
			--generate-hashes --no-header --no-annotate -c requirements.txt $$name.txt; } > $$name-lock.txt; \
	done
