"""Pure mapping between LangChain's objects and OpenRouter's JSON. No I/O happens here."""
