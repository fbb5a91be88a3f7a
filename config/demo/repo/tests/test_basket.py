import unittest

from basket import total


class TotalTest(unittest.TestCase):
    def test_empty_basket_costs_nothing(self) -> None:
        self.assertEqual(total([]), 0)

    def test_small_basket_has_no_discount(self) -> None:
        self.assertEqual(total([2_500, 7_499]), 9_999)

    def test_discount_begins_at_exactly_one_hundred(self) -> None:
        self.assertEqual(total([10_000]), 9_000)

    def test_large_basket_is_discounted(self) -> None:
        self.assertEqual(total([15_000, 5_000]), 18_000)


if __name__ == "__main__":
    unittest.main()
