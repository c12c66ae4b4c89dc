"""LocalStack as a plain process of this machine. README.md beside this package says what is replaced, and why."""
