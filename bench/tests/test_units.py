"""DynamoDB's rules, by examples from its documentation and by hand."""

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from units import Index, Table, item_size, reads_of, value_size, writes_of  # noqa: E402


class Sizes(unittest.TestCase):
    def test_values(self):
        for value, size in [
            ({"S": "Bücher"}, 7), ({"N": "27"}, 2), ({"N": "-27"}, 3), ({"N": "1000000"}, 2), ({"N": "0"}, 2), ({"BOOL": True}, 1), ({"NULL": True}, 1),
            ({"L": []}, 3), ({"M": {}}, 3), ({"L": [{"S": "ab"}, {"S": "c"}]}, 8), ({"M": {"ab": {"S": "c"}}}, 7), ({"SS": ["a", "bc"]}, 3),
        ]:
            self.assertEqual(value_size(value), size, value)

    def test_an_item_is_its_names_and_its_values(self):
        self.assertEqual(item_size({"pk": {"S": "abc"}, "n": {"N": "1"}}), 2 + 3 + 1 + 2)
        self.assertEqual(item_size(None), 0)


class Units(unittest.TestCase):
    def test_a_write_is_rounded_up_to_a_kibibyte_and_a_read_to_four(self):
        self.assertEqual([writes_of(size) for size in (0, 1, 1024, 1025, 3500)], [1, 1, 1, 2, 4])
        self.assertEqual([reads_of(size, True) for size in (0, 4096, 4097)], [1, 1, 2])
        self.assertEqual(reads_of(8192, False), 1)


class Writes(unittest.TestCase):
    table = Table("t", ("pk", "sk"), (Index("gsi1", ("g", "h"), "KEYS_ONLY"), Index("gsi2", ("i",), "ALL")))

    @staticmethod
    def item(**attributes: str) -> dict:
        return {name: {"S": value} for name, value in {"pk": "a", "sk": "b", **attributes}.items()}

    def test_a_transaction_costs_twice_and_its_index_entries_once(self):
        self.assertEqual(self.table.write(None, self.item(), False), 1)
        self.assertEqual(self.table.write(None, self.item(), True), 2)
        self.assertEqual(self.table.write(None, self.item(g="1", h="2"), True), 3)

    def test_the_larger_of_before_and_after_counts(self):
        self.assertEqual(self.table.write(self.item(x="y" * 2000), self.item(), False), 2)

    def test_an_entry_that_moves_goes_and_comes(self):
        self.assertEqual(self.table.write(self.item(i="1"), self.item(i="2"), False), 1 + 2)

    def test_an_entry_without_what_changed_stays(self):
        self.assertEqual(self.table.write(self.item(g="1", h="2", x="1"), self.item(g="1", h="2", x="2"), False), 1)
        self.assertEqual(self.table.write(self.item(i="1", x="1"), self.item(i="1", x="2"), False), 1 + 1)

    def test_a_refused_write_is_paid(self):
        self.assertEqual(self.table.write(self.item(), self.item(), True), 2)


if __name__ == "__main__":
    unittest.main()
