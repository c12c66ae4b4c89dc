"""The local stack of Box Office: its tools, its servers and its deployment. See localstack/README.md."""
