# Everything a newcomer runs. `make demo` and `make test` install what they need first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test test-all score score-all check format lock install

demo: install  ## install, then carry the credit risk project from raw data to a live service
	$(BIN)/drivetrain demo

# Two test processes for each of two cores, for half of what tests do is waiting; a library that starts threads of its
# own would only slow them down.
test test-all: export OMP_NUM_THREADS ?= 1
# A file stays with one process, so that what its tests share is made once.
# Hundreds of tests start the command line: its modules are compiled once, not once a process.
test test-all: export PYTHONDONTWRITEBYTECODE =
test: install  ## install, then run the tests
	$(BIN)/python -m pytest -n 4 --dist loadfile -m "not slow"

test-all: install  ## every test, the long ones too
	$(BIN)/python -m pytest -n 4 --dist loadfile

score: install  ## run the quicker packs on their real data and hold them to their floors (about 3 minutes)
	$(BIN)/drivetrain packs score --within 110

score-all: install  ## the same for every pack (half an hour)
	$(BIN)/drivetrain packs score

check: install  ## style, types, floors (under 2 minutes)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

install: $(VENV)/installed

$(VENV)/installed: locks/dev.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r locks/dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

lock:  ## write the lock files again (needs uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --extra dev pyproject.toml locks/build.in -o locks/dev.txt
