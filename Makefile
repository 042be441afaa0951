PYTHON := .venv/bin/python

.PHONY: check test demo format options

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
