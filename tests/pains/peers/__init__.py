"""The same cases played against this package's client and against two others.

`python -m tests.pains.peers` measures and rewrites `docs/pains.md`.
"""
