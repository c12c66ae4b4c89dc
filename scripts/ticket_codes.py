"""Reads and verifies ticket codes without any of the product's code: the second implementation of docs/ticket-codes.md.

    python3 scripts/ticket_codes.py verify ticket-keys.json 'BO1:…'    says whether a code is genuine, and its facts
    python3 scripts/ticket_codes.py vectors                            prints the vectors anew

Only the standard library. Ed25519 is RFC 8032 in its plainest form: slow, and of no use for secrets, since it takes a time that depends on them.
"""

import argparse
import base64
import hashlib
import json
import struct
import sys

# --- Ed25519 (RFC 8032, section 5.1) ---

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
SQRT_M1 = pow(2, (P - 1) // 4, P)


def _x(y: int, sign: int) -> int | None:
    """The x of the point with this y and sign; none where there is no such point."""
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * SQRT_M1 % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    return P - x if x & 1 != sign else x


def _add(a: tuple, b: tuple) -> tuple:
    """In extended coordinates (X, Y, Z, T): x = X/Z, y = Y/Z, xy = T/Z."""
    m = (a[1] - a[0]) * (b[1] - b[0]) % P
    n = (a[1] + a[0]) * (b[1] + b[0]) % P
    t, z = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = n - m, z - t, z + t, n + m
    return e * f % P, g * h % P, f * g % P, e * h % P


def _times(point: tuple, factor: int) -> tuple:
    result = (0, 1, 1, 0)
    while factor:
        if factor & 1:
            result = _add(result, point)
        point, factor = _add(point, point), factor >> 1
    return result


def _point(encoded: bytes) -> tuple | None:
    number = int.from_bytes(encoded, "little")
    y = number & ((1 << 255) - 1)
    x = _x(y, number >> 255)
    return None if x is None else (x, y, 1, x * y % P)


def _encoded(point: tuple) -> bytes:
    inverse = pow(point[2], -1, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


_y = 4 * pow(5, -1, P) % P
BASE = _point(_y.to_bytes(32, "little"))


def _hash(*parts: bytes) -> int:
    return int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little")


def _expanded(seed: bytes) -> tuple[int, bytes]:
    digest = hashlib.sha512(seed).digest()
    scalar = int.from_bytes(digest[:32], "little") & (1 << 254) - 8 | 1 << 254
    return scalar, digest[32:]


def public_key(seed: bytes) -> bytes:
    return _encoded(_times(BASE, _expanded(seed)[0]))


def sign(seed: bytes, message: bytes) -> bytes:
    scalar, prefix = _expanded(seed)
    r = _hash(prefix, message) % L
    point = _encoded(_times(BASE, r))
    return point + ((r + _hash(point, public_key(seed), message) * scalar) % L).to_bytes(32, "little")


def is_signed(public: bytes, message: bytes, signature: bytes) -> bool:
    key, r, s = _point(public), _point(signature[:32]), int.from_bytes(signature[32:], "little")
    if key is None or r is None or s >= L:
        return False
    left, right = _times(BASE, s), _add(r, _times(key, _hash(signature[:32], public, message) % L))
    return (left[0] * right[2] - right[0] * left[2]) % P == 0 and (left[1] * right[2] - right[1] * left[2]) % P == 0


# --- Base45 (RFC 9285) ---

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"


def base45(data: bytes) -> str:
    text = ""
    for at in range(0, len(data), 2):
        pair = data[at : at + 2]
        number, letters = int.from_bytes(pair), 3 if len(pair) == 2 else 2
        for _ in range(letters):
            number, digit = divmod(number, 45)
            text += ALPHABET[digit]
    return text


def unbase45(text: str) -> bytes | None:
    data = b""
    for at in range(0, len(text), 3):
        group = text[at : at + 3]
        digits = [ALPHABET.find(letter) for letter in group]
        number = sum(digit * 45**place for place, digit in enumerate(digits))
        if len(group) == 1 or min(digits) < 0 or number >= (65536 if len(group) == 3 else 256):
            return None
        data += number.to_bytes(len(group) - 1)
    return data


# --- The code ---

PREFIX = "BO1:"
LAYOUT = struct.Struct(">BBH8sIHHII")
FIELDS = ("key", "event", "serial", "type", "gate", "validFrom", "validUntil")


def event_tag(event_id: str) -> bytes:
    return hashlib.sha256(event_id.encode()).digest()[:8]


def packed(facts: dict) -> bytes:
    return LAYOUT.pack(1, 0, *(bytes.fromhex(facts[f]) if f == "event" else facts[f] for f in FIELDS))


def code(facts: dict, seed: bytes) -> str:
    data = packed(facts)
    return PREFIX + base45(data + sign(seed, PREFIX.encode() + data))


def read(text: str, keys: dict[int, bytes]) -> dict | str:
    """The facts of a genuine code, or the reason for refusing it."""
    text = text.strip("\r\n")
    if not text.startswith(PREFIX):
        later = len(text) > 3 and text[:2] == "BO" and text[2] in "23456789" and text[3] == ":"
        return "OTHER_FORMAT" if later else "NOT_A_TICKET"
    if len(text.encode()) != 142 or (data := unbase45(text[4:])) is None:
        return "NOT_A_TICKET"
    version, flags, *values = LAYOUT.unpack(data[:28])
    if (version, flags) != (1, 0):
        return "OTHER_FORMAT"
    facts = dict(zip(FIELDS, values))
    facts["event"] = facts["event"].hex()
    if facts["key"] not in keys:
        return "UNKNOWN_KEY"
    if not is_signed(keys[facts["key"]], PREFIX.encode() + data[:28], data[28:]):
        return "FORGED"
    return facts


# --- The decision ---


def decide(rules: dict, facts: dict, record: dict, scan: dict) -> str:
    """IN, OUT or the reason for neither: the rules in the order of the specification."""
    entry, last, now = scan["direction"] == "ENTRY", record.get("last"), scan["now"]
    passed = "IN" if entry else "OUT"
    if facts["event"] != rules["event"]:
        return "OTHER_EVENT"
    if last and last["nonce"] == scan["nonce"] and last["direction"] == scan["direction"]:
        return passed
    gate_of_list = scan["gate"] in (rules["gates"] or [0])
    if entry:
        for refused, reason in (
            (now < facts["validFrom"], "NOT_YET_VALID"),
            (now >= facts["validUntil"], "EXPIRED"),
            (not rules["opens"] <= now < rules["closes"], "LIST_CLOSED"),
            (bool(rules["types"]) and facts["type"] not in rules["types"], "WRONG_TYPE"),
            (not gate_of_list or facts["gate"] not in (0, scan["gate"]), "WRONG_GATE"),
        ):
            if refused:
                return reason
    elif not rules["exits"]:
        return "NO_EXITS"
    elif not gate_of_list:
        return "WRONG_GATE"
    if record["state"] == "UNKNOWN":
        return "UNRECORDED"
    if record["state"] == "REVOKED" and entry:
        return "REVOKED"
    inside = bool(last) and last["direction"] == "ENTRY"
    if entry and inside:
        return "ALREADY_IN"
    if entry and last and not rules["reentry"]:
        return "NO_REENTRY"
    if entry and not last and facts["type"] in rules["entitled"] and not scan["vouched"]:
        return "ENTITLEMENT"
    return passed if entry or inside else "NOT_INSIDE"


# --- The vectors ---

SEED = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
STRANGERS_SEED = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
EVENT = "inv_01970000000070008000000000000001"


def vectors() -> dict:
    facts = {"key": 1, "event": event_tag(EVENT).hex(), "serial": 4711, "type": 0, "gate": 0}
    facts |= {"validFrom": 1893456000, "validUntil": 1893542400}
    good, body = code(facts, SEED), packed(facts)

    def signed(data: bytes, seed: bytes = SEED) -> str:
        return PREFIX + base45(data + sign(seed, PREFIX.encode() + data))

    bent = bytearray(unbase45(good[4:]))
    bent[15] ^= 1
    torn = bytearray(unbase45(good[4:]))
    torn[91] ^= 1
    largest = {"key": 1, "event": "ff" * 8, "serial": 2**32 - 1, "type": 65535, "gate": 65535}
    largest |= {"validFrom": 2**32 - 1, "validUntil": 2**32 - 1}
    codes = [
        ("a genuine code", good, facts),
        ("line ends of a hardware scanner", good + "\r\n", facts),
        ("the largest fields", code(largest, SEED), largest),
        ("another key than it says", signed(body, STRANGERS_SEED), "FORGED"),
        ("one bit of the serial changed", PREFIX + base45(bytes(bent)), "FORGED"),
        ("one bit of the signature changed", PREFIX + base45(bytes(torn)), "FORGED"),
        ("signed without the prefix", PREFIX + base45(body + sign(SEED, body)), "FORGED"),
        ("an unknown key", code(facts | {"key": 2}, SEED), "UNKNOWN_KEY"),
        ("a later format", signed(b"\x02" + body[1:]), "OTHER_FORMAT"),
        ("a flag", signed(body[:1] + b"\x01" + body[2:]), "OTHER_FORMAT"),
        ("a later prefix", "BO2:" + good[4:], "OTHER_FORMAT"),
        ("lower case", good.lower(), "NOT_A_TICKET"),
        ("one character short", good[:-1], "NOT_A_TICKET"),
        ("one character more", good + "0", "NOT_A_TICKET"),
        ("a group beyond two bytes", good[:-3] + ":::", "NOT_A_TICKET"),
        ("a character that Base45 has not", good[:-1] + "_", "NOT_A_TICKET"),
        ("a barcode of something else", "4006381333931", "NOT_A_TICKET"),
        ("a web address", "https://example.com/", "NOT_A_TICKET"),
        ("nothing", "", "NOT_A_TICKET"),
    ]
    rules = {"event": facts["event"], "types": [], "gates": [], "exits": True, "reentry": True, "entitled": []}
    rules |= {"opens": 1893456000, "closes": 1893500000}
    scan = {"gate": 0, "direction": "ENTRY", "nonce": "01" * 16, "vouched": False, "now": 1893460000}
    never = {"state": "GOOD"}

    def after(direction: str, nonce: str = "02" * 16) -> dict:
        return {"state": "GOOD", "last": {"direction": direction, "nonce": nonce}}

    leaving = {"direction": "EXIT"}
    decisions = [
        ("a first entry", {}, {}, never, {}, "IN"),
        ("the same scan again", {}, {}, after("ENTRY", "01" * 16), {}, "IN"),
        ("the same scan after closing", {}, {}, after("ENTRY", "01" * 16), {"now": 1893600000}, "IN"),
        ("the same nonce the other way", {}, {}, after("ENTRY", "01" * 16), leaving, "OUT"),
        ("a second entry", {}, {}, after("ENTRY"), {}, "ALREADY_IN"),
        ("an exit", {}, {}, after("ENTRY"), leaving, "OUT"),
        ("an exit after closing", {}, {}, after("ENTRY"), leaving | {"now": 1893600000}, "OUT"),
        ("an exit before any entry", {}, {}, never, leaving, "NOT_INSIDE"),
        ("a second exit", {}, {}, after("EXIT"), leaving, "NOT_INSIDE"),
        ("an exit that is not scanned", {"exits": False}, {}, after("ENTRY"), leaving, "NO_EXITS"),
        ("an exit by a gate of another list", {"gates": [1]}, {}, after("ENTRY"), leaving, "WRONG_GATE"),
        ("coming back", {}, {}, after("EXIT"), {}, "IN"),
        ("coming back where that is not allowed", {"reentry": False}, {}, after("EXIT"), {}, "NO_REENTRY"),
        ("another event", {}, {"event": "00" * 8}, never, {}, "OTHER_EVENT"),
        ("a code before its time", {"opens": 0}, {}, never, {"now": 1893455999}, "NOT_YET_VALID"),
        ("the first second of a code", {}, {}, never, {"now": 1893456000}, "IN"),
        ("a code after its time", {"closes": 2**32 - 1}, {}, never, {"now": 1893542400}, "EXPIRED"),
        ("a list after its time", {}, {}, never, {"now": 1893500000}, "LIST_CLOSED"),
        ("another type", {"types": [1]}, {}, never, {}, "WRONG_TYPE"),
        ("one of the types", {"types": [0, 1]}, {}, never, {}, "IN"),
        ("another gate than the ticket's", {"gates": [1, 2]}, {"gate": 2}, never, {"gate": 1}, "WRONG_GATE"),
        ("the ticket's gate", {"gates": [1, 2]}, {"gate": 2}, never, {"gate": 2}, "IN"),
        ("a gate of another list", {"gates": [1]}, {}, never, {"gate": 2}, "WRONG_GATE"),
        ("a revoked admission", {}, {}, {"state": "REVOKED"}, {}, "REVOKED"),
        ("an exit of a revoked admission", {}, {}, after("ENTRY") | {"state": "REVOKED"}, leaving, "OUT"),
        ("a scan again, revoked since", {}, {}, after("ENTRY", "01" * 16) | {"state": "REVOKED"}, {}, "IN"),
        ("an admission that nobody knows", {}, {}, {"state": "UNKNOWN"}, {}, "UNRECORDED"),
        ("an entitlement to prove", {"entitled": [0]}, {}, never, {}, "ENTITLEMENT"),
        ("an entitlement proven", {"entitled": [0]}, {}, never, {"vouched": True}, "IN"),
        ("an entitlement proven before", {"entitled": [0]}, {}, after("EXIT"), {}, "IN"),
    ]
    rfc9285 = [["AB", "BB8"], ["Hello!!", "%69 VD92EX0"], ["base-45", "UJCLQE7W581"], ["ietf!", "QED8WEX0"]]
    return {
        "base45": [{"bytes": plain.encode().hex(), "text": text} for plain, text in rfc9285],
        "eventTags": [{"event": EVENT, "tag": event_tag(EVENT).hex()}],
        "keys": [{"id": 1, "seed": SEED.hex(), "publicKey": public_key(SEED).hex()}],
        "codes": [{"name": name, "text": text, "reading": reading} for name, text, reading in codes],
        "decisions": [
            {"name": name, "list": rules | r, "facts": facts | f, "record": record, "scan": scan | s, "verdict": verdict}
            for name, r, f, record, s, verdict in decisions
        ],
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    verify = commands.add_parser("verify", help="say whether a code is genuine, and its facts")
    verify.add_argument("keys", help="the document of /.well-known/ticket-keys.json, in a file")
    verify.add_argument("code", help="the text of the QR code")
    commands.add_parser("vectors", help="print the vectors anew")
    arguments = parser.parse_args()
    if arguments.command == "vectors":
        print(json.dumps(vectors(), indent=1))
        return 0
    with open(arguments.keys) as file:
        published = json.load(file)["keys"]
    keys = {key["id"]: base64.urlsafe_b64decode(key["x"] + "=") for key in published}
    reading = read(arguments.code, keys)
    print(reading if isinstance(reading, str) else json.dumps(reading))
    return int(isinstance(reading, str))


if __name__ == "__main__":
    sys.exit(main())
