"""Packages around LangChain, in an environment of their own (tests/constraints-ecosystem.txt)."""
