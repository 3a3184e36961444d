"""The event backbone: the bus port and its two adapters, the relay that feeds it, the consumer that drains it."""
