"""What the lab does just now: rates, logs, one request's way."""
