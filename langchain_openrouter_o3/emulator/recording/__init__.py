"""Recording exchanges with OpenRouter, and replaying them.

`recorder` is a proxy that writes each exchange down, `replayer` answers from what was written.
`exchange` is the format of the files, `scrubbing` keeps keys out of them, `differences` tells what
two exchanges do not have in common.
"""
