"""The second implementation of docs/ticket-codes.md agrees with the vectors, which the product's own code is tested by too."""

import json
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import ticket_codes  # noqa: E402

VECTORS = json.loads((Path(__file__).parents[2] / "shared/admission/vectors/ticket-codes.json").read_text())
KEYS = {key["id"]: bytes.fromhex(key["publicKey"]) for key in VECTORS["keys"]}


class Vectors(unittest.TestCase):
    def test_ed25519_signs_the_second_message_of_rfc_8032(self):
        signature = ticket_codes.sign(ticket_codes.STRANGERS_SEED, b"\x72")
        self.assertTrue(signature.hex().startswith("92a009a9f0d4cab8720e820b5f642540"))
        self.assertTrue(ticket_codes.is_signed(ticket_codes.public_key(ticket_codes.STRANGERS_SEED), b"\x72", signature))

    def test_base45_is_written_and_read(self):
        for vector in VECTORS["base45"]:
            self.assertEqual(ticket_codes.base45(bytes.fromhex(vector["bytes"])), vector["text"])
            self.assertEqual(ticket_codes.unbase45(vector["text"]).hex(), vector["bytes"])

    def test_codes_are_read_or_refused_for_the_reason(self):
        for vector in VECTORS["codes"]:
            with self.subTest(vector["name"]):
                self.assertEqual(ticket_codes.read(vector["text"], KEYS), vector["reading"])

    def test_scans_are_decided(self):
        for vector in VECTORS["decisions"]:
            with self.subTest(vector["name"]):
                decided = ticket_codes.decide(vector["list"], vector["facts"], vector["record"], vector["scan"])
                self.assertEqual(decided, vector["verdict"])

    def test_the_file_of_vectors_is_the_one_that_this_implementation_makes(self):
        self.assertEqual(ticket_codes.vectors(), VECTORS)


if __name__ == "__main__":
    unittest.main()
