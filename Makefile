# Every target sets up what it needs: Python 3.11 or later with venv is enough, a C++ compiler helps.
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
DEMO := runs/demo

.PHONY: demo test sanitize fuzz check campaign bench bench-peers clean

demo: $(READY)  ## about five minutes: compare all models on Shakespeare, let the best one write
	rm -rf $(DEMO)
	$(BIN)/unrolled compare examples/shakespeare.txt.gz --budget 5m --out $(DEMO)
	$(BIN)/unrolled generate $(DEMO)/best --prompt "ROMEO:" --temperature 0.8 --max-tokens 400

test: $(READY)  ## all tests, and the examples in the documentation
	$(BIN)/python -m pytest -n auto --dist loadfile

sanitize: $(READY)  ## the operators' tests on kernels built with AddressSanitizer: a few minutes
	scripts/sanitize $(BIN)/python

fuzz: $(READY)  ## new damaged inputs for every loader, a million in about an hour; FUZZ: how many for each
	UNROLLED_FUZZ_EXAMPLES=$(or $(FUZZ),20000) $(BIN)/python -m pytest -q tests/fuzz

check: $(READY)  ## formatting, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyrefly check

campaign: $(READY)  ## kills trainings at 100 random moments, resumes them, compares: about an hour
	$(BIN)/python benchmarks/campaign.py --kills 100

bench: $(READY)  ## the benchmarks behind the published figures: hours; UNROLLED_DATA names the data
	BIN=$(BIN) scripts/bench

bench-peers: $(READY)  ## a training step beside Keras, JAX and others: ten minutes, gigabytes in .venv-peers
	scripts/bench-peers .venv-peers
	$(BIN)/python benchmarks/article.py

$(READY): scripts/setup pyproject.toml constraints.txt CMakeLists.txt \
		$(wildcard src/unrolled/kernels/*.cpp src/unrolled/kernels/*.h)
	scripts/setup $(VENV)

clean:
	rm -rf $(VENV) .venv-peers build dist
