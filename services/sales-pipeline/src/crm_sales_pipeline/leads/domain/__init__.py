"""Rules of leads: states, buying windows and their policies, the first-contact clock, conversion rates."""
