"""The only place that knows HTTP: framing, retries, the flow of one request, shared pools."""
