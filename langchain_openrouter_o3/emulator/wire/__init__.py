"""What OpenRouter takes and gives: models, requests, answers, errors, and their way on the wire."""
