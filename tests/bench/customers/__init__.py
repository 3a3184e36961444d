"""Customers through gateway and service with everything on, beside a bare reference over the same rows.

Bars: ÷ the reference at 100,000 customers, one million ÷ 100,000, and the slowest of filtered lists of a million.
"""

from tests.bench.customers.measuring import measure

__all__ = ["measure"]
