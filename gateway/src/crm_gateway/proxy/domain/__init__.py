"""Rules of the way through, free of sockets: headers, breaker, retries."""
