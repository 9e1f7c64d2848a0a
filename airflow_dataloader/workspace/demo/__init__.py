"""The demo: a shop's database, its control rows, two rounds of loads, and an independent comparison."""
