"""What a terminal shows: plain, or with rich. It knows nothing of models and commands."""
