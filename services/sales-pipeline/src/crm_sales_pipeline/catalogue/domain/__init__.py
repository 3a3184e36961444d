"""Rules of the catalogue: what may be sold, at which price, and what a list of lines costs."""
