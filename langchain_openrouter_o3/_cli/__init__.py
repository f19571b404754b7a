"""What `python -m langchain_openrouter_o3` does, one idea per file. Private."""
