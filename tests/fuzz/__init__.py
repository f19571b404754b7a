"""Coverage-guided fuzzing: `python -m tests.fuzz`; see `__main__.py`."""
