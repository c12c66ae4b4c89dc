"""The model of what `reconcile` costs."""

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from reconcile import House, of_everything, of_what_moved  # noqa: E402


class Cost(unittest.TestCase):
    def test_reading_what_moved_does_not_grow_with_history(self):
        self.assertEqual(of_what_moved(House(past=10**4)), of_what_moved(House(past=10**8)))

    def test_reading_everything_grows_with_history(self):
        few, many = of_everything(House(past=10**6)), of_everything(House(past=10**8))
        self.assertGreater(many, 90 * few)


if __name__ == "__main__":
    unittest.main()
