"""The kit that tests are written with: a clock to turn, databases from a template, real servers, an event recorder."""
