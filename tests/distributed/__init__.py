"""Chains on many machines, in an environment of their own (tests/constraints-distributed.txt)."""
