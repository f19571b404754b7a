"""What the client costs, measured side by side with a floor and with its peers.

`python -m benchmarks` runs everything, `python -m benchmarks stream --rounds 5` a selection,
`python -m benchmarks.guard` is the quick check of CI. README.md in this folder says what is
measured and how.
"""
