"""One document for the whole suite: merged from the services', and the scope map read from it."""
