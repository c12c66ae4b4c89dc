# Box Office: the developer's menu. Each target is one line; the logic is in localstack/ and scripts/.
# TARGET=localstack runs everything on LocalStack in Docker in place of the embedded emulator.

.DEFAULT_GOAL := help
.PHONY: help setup build up down reset status logs demo on-sale test test-unit fuzz fault-matrix bench lint fmt sizes clean
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

down: ## Stop everything
	@$(STACK) down

reset: ## Empty the stack and deploy it afresh, without rebuilding
	@$(STACK) reset

status: ## Say what runs and where
	@$(STACK) status

logs: ## Follow the functions' logs (FUNCTION=create-ticket for one of them)
	@$(STACK) logs --follow --function "$(FUNCTION)"

demo: up ## Book, decline, expire, cancel and sell out, on a fresh machine too
	@$(STACK) run -- cargo run --quiet --release --package boxoffice-e2e --example demo

on-sale: up ## 5,000 buyers for 1,000 seats, with figures in .local/reports/on-sale.md
	@for all_pay in 1 0; do \
		BOXOFFICE_ON_SALE_BUYERS=5000 BOXOFFICE_ON_SALE_SEATS=1000 BOXOFFICE_ON_SALE_ACCOUNTS=50 BOXOFFICE_ON_SALE_ALL_PAY=$$all_pay \
			$(STACK) run -- cargo test --quiet --release --workspace --test on_sale -- --nocapture --test-threads 1 || exit 1; \
	done

test: ## Run the whole suite: unit, stores, payment server, end to end
	@python3 scripts/test.py

test-unit: ## Run the unit and store tests only (needs no deployment)
	@python3 scripts/test.py --unit

fault-matrix: up ## Try every fault at every state of the saga; the grid goes to .local/reports/
	@$(STACK) run -- python3 scripts/fault_matrix.py

bench: up ## Measure cold starts, memory and sizes, beside the same handler in Python and Node
	@$(STACK) run -- python3 bench/bench.py

fuzz: ## Give every parser inputs, guided by coverage (TIME=60 seconds each; TARGET_NAME=bodies for one)
	@python3 scripts/fuzz.py --seconds $(or $(TIME),60) $(if $(TARGET_NAME),--target $(TARGET_NAME))

lint: ## Check formatting, clippy, the templates and the state machines
	@python3 scripts/lint.py

fmt: ## Format the Rust code
	@cargo fmt --all

sizes: ## Print each function's size, and fail if one is over 4 MB zipped
	@$(STACK) build && python3 scripts/sizes.py

clean: down ## Stop everything and remove what was built (the tools stay; `rm -r .local` removes them)
	@rm -rf target .aws-sam .local/stamps/built
