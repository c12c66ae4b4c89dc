# Box Office: the developer's menu. Each target is one line; the logic is in localstack/ and scripts/.
# TARGET=localstack runs everything on LocalStack in place of the embedded emulator, in Docker where that answers and else without; both can be up at once.

.DEFAULT_GOAL := help
.PHONY: help throttled setup build up down reset status logs demo on-sale cancellation test test-unit test-scripts coverage mutants crowds fuzz fault-matrix bench lint fmt audit sizes release \
	reproduce clean
SHELL := /bin/sh
export TARGET

STACK := python3 localstack/stack.py

help: ## Show this menu
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  \033[1m%-13s\033[0m %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install the pinned tools into .local/ (every target does it by itself)
	@$(STACK) setup

build: ## Compile and package every function
	@$(STACK) build

up: ## Start everything, deploy, wait until healthy, print the API's address
	@$(STACK) up

down: ## Stop everything, or only TARGET
	@$(STACK) down

reset: ## Empty the stack and deploy it afresh, without rebuilding
	@$(STACK) reset

status: ## Say what runs, and where
	@$(STACK) status

logs: ## Follow the functions' logs (FUNCTION=create-ticket for one of them)
	@$(STACK) logs --follow --function "$(FUNCTION)"

demo: up ## Book, decline, expire, cancel and sell out, on a fresh machine too
	@$(STACK) run -- cargo run --quiet --package boxoffice-e2e --example demo

on-sale: up ## 5,000 buyers for 1,000 seats, with figures in .local/reports/on-sale.md
	@for all_pay in 1 0; do \
		BOXOFFICE_ON_SALE_BUYERS=5000 BOXOFFICE_ON_SALE_SEATS=1000 BOXOFFICE_ON_SALE_ACCOUNTS=50 BOXOFFICE_ON_SALE_ALL_PAY=$$all_pay \
			$(STACK) run -- cargo test --quiet --workspace --test on_sale -- --nocapture --test-threads 1 || exit 1; \
	done

cancellation: up ## 5,000 bookings of a cancelled event, its walk killed three times
	@BOXOFFICE_CANCELLATION_BOOKINGS=$${BOXOFFICE_CANCELLATION_BOOKINGS:-5000} \
		$(STACK) run -- cargo test --quiet --workspace --test cancelled_event -- --nocapture --test-threads 1

throttled: ## 500 payments, held for ten minutes, while the provider refuses half of all calls for a minute
	@BOXOFFICE_PARAMETERS="HoldSeconds=600" $(STACK) up
	@BOXOFFICE_THROTTLED_PAYMENTS=$${BOXOFFICE_THROTTLED_PAYMENTS:-500} BOXOFFICE_THROTTLED_SECONDS=$${BOXOFFICE_THROTTLED_SECONDS:-60} \
		$(STACK) run -- cargo test --quiet --workspace --test payment_outages throttled -- --nocapture --test-threads 1

test: ## Run the whole suite: unit, stores, payment server, end to end; with TARGET=localstack, what needs a stack
	@python3 scripts/test.py

test-unit: ## Run the unit and store tests only (needs no deployment)
	@python3 scripts/test.py --unit

test-scripts: ## Run the scripts' own tests, and the rules for the workflows of .github/
	@python3 -m unittest discover --start-directory scripts/tests

coverage: ## Say which lines the unit and store tests run, and fail under 90 % of the domain
	@python3 scripts/coverage.py $(if $(HTML),--html)

mutants: ## Change the domain one decision at a time, and look whether a unit test notices (20 min)
	@python3 scripts/mutants.py

crowds: ## Play 1,000 crowds of 50 bookings, interleaved request by request (an hour; SEED=n for the first)
	@python3 scripts/crowds.py $(if $(SEED),--seed $(SEED))

fault-matrix: up ## Try every fault at every state of the saga; the grid goes to .local/reports/
	@$(STACK) run -- python3 scripts/fault_matrix.py

bench: up ## Measure everything in docs/performance.md and docs/cost.md, beside the same handlers in Python and Node
	@$(STACK) run -- python3 bench/bench.py && $(STACK) run -- python3 bench/cost.py
	@$(STACK) run -- cargo run --quiet --release --package boxoffice-hot-sale --bin hot-sale
	@$(STACK) run -- cargo run --quiet --release --package boxoffice-hot-sale --bin long-lists
	@$(STACK) run -- cargo run --quiet --release --package boxoffice-hot-sale --bin burst

fuzz: ## Give every parser inputs, guided by coverage (TIME=60 seconds each; TARGET_NAME=bodies for one)
	@python3 scripts/fuzz.py --seconds $(or $(TIME),60) $(if $(TARGET_NAME),--target $(TARGET_NAME))

lint: ## Check formatting, clippy, the templates and the state machines
	@python3 scripts/lint.py

fmt: ## Format the Rust code
	@cargo fmt --all

audit: ## Check every dependency: advisories, licences, duplicates, sources (OFFLINE=1 without advisories)
	@python3 scripts/audit.py $(if $(OFFLINE),--offline)

sizes: ## Print each function's size, and fail if one is over 4 MB zipped
	@$(STACK) build && python3 scripts/sizes.py

release: ## Make a release for this machine's architecture (ARCHITECTURE=arm64 or x86_64): zips, bill of materials, hashes
	@python3 scripts/release.py $(if $(ARCHITECTURE),--architecture $(ARCHITECTURE))

reproduce: ## Build the last commit twice from nothing, and compare the bytes
	@python3 scripts/reproduce.py $(if $(ARCHITECTURE),--architecture $(ARCHITECTURE))

clean: down ## Stop everything and remove what was built (the tools stay; `rm -r .local` removes them)
	@rm -rf target .aws-sam .local/stamps/built
