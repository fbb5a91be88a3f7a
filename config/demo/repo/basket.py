"""Prices of a shopping basket, in cents."""

DISCOUNT_FROM = 10_000
DISCOUNT_PERCENT = 10


def total(prices: list[int]) -> int:
    """The sum of the prices; baskets of 100.00 and more get ten percent off."""
    amount = sum(prices)
    if amount > DISCOUNT_FROM:
        amount -= amount * DISCOUNT_PERCENT // 100
    return amount
