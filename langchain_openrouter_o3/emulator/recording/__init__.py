"""Recording exchanges with OpenRouter, and replaying them.

`applications` has both: a proxy that writes each exchange down, and a server that answers from what
was written. `exchange` is the format of the files, and tells what two exchanges do not have in
common; `scrubbing` keeps keys out of them.
"""
