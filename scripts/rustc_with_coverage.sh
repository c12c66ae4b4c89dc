#!/bin/sh
# Compiles a crate of this workspace so that libFuzzer sees where an input leads: cargo's RUSTC_WORKSPACE_WRAPPER for `make fuzz`.
# As a wrapper and not as RUSTFLAGS, because those would compile the whole SDK once more. The flags are stable, and those of cargo-fuzz.
set -eu
case " $* " in
    # A build script or a macro runs on its own, without libFuzzer.
    *" --target "*) ;;
    *) exec "$@" ;;
esac
exec "$@" -Copt-level=2 -Coverflow-checks=on -Cdebug-assertions=on -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares
