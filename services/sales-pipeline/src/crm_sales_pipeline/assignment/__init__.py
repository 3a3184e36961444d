"""Who gets it: sellers, rules, and a row that explains every choice."""
