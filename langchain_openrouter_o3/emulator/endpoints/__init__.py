"""OpenRouter's endpoints."""
