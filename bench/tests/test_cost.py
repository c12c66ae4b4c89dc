"""`settle` waits until a booking has ended."""

import sys
import unittest
from pathlib import Path
from unittest.mock import Mock, patch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import cost  # noqa: E402


@patch.object(cost, "QUIET_SECONDS", 0.001)
class Settling(unittest.TestCase):
    def test_waits_for_an_execution_that_holds_still(self):
        stack = Mock(is_running=Mock(side_effect=[True, True, False]))
        cost.settle(stack, Mock(calls=[]))
        self.assertEqual(stack.is_running.call_count, 3)

    def test_gives_up_on_a_stack_that_stays_busy(self):
        with patch.object(cost, "PATIENCE_SECONDS", 0.01), self.assertRaisesRegex(cost.StepFailed, "still busy"):
            cost.settle(Mock(is_running=Mock(return_value=True)), Mock(calls=[]))


if __name__ == "__main__":
    unittest.main()
