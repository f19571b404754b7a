"""The command `openrouter-o3`. Private.

`main.py` has the table of subcommands; each is in a file `…_command.py`. They share `options.py`
(what was typed), `connection.py` (who answers) and `answer.py` (what came, and what it took).
"""
