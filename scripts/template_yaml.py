"""Reads the templates' YAML with nothing but Python's standard library: the subset they are written in, and no more.

Block mappings and sequences, flow collections, quoted, plain and block scalars. A short tag (`!Sub x`, `!If [a, b]`) is read as the value behind it.
Anything else is an error with its line, never a guess.
"""

import re

KEY = re.compile(r"""("[^"]*"|'[^']*'|[^\s"'{}\[\],#&*!|>%@`-](?:[^:]|:(?=\S))*?|-[^\s:](?:[^:]|:(?=\S))*?)\s*:(?:\s+(.*))?$""")
TAG = re.compile(r"!\w+(?:\.\w+)*\s*")
NUMBER = re.compile(r"-?\d+$")


class Unreadable(ValueError):
    """YAML outside the subset."""


def parse(text):
    """Parses the document into dictionaries, lists, strings, numbers and truth values."""
    reader = _Reader(text)
    value = reader.block(0)
    if reader.peek() is not None:
        raise Unreadable(f"line {reader.at + 1}: belongs to nothing above")
    return value


class _Reader:
    def __init__(self, text):
        self.lines = text.split("\n")
        self.at = 0

    def peek(self):
        """Indentation and content of the next line that has any; the reader stands there."""
        while self.at < len(self.lines):
            line = self.lines[self.at]
            content = _without_comment(line).strip()
            if content and content != "---":
                return len(line) - len(line.lstrip()), content
            self.at += 1
        return None

    def block(self, least):
        """The mapping, sequence or scalar that begins at the next line, indented by at least so much; else nothing."""
        found = self.peek()
        if found is None or found[0] < least:
            return None
        indent, content = found
        if content == "-" or content.startswith("- "):
            return self.sequence(indent)
        if KEY.match(content):
            return self.mapping(indent)
        self.at += 1
        return self.value(content, indent - 1)

    def mapping(self, indent):
        result = {}
        while (found := self.peek()) is not None and found[0] == indent and not found[1].startswith("- "):
            match = KEY.match(found[1])
            if not match:
                raise Unreadable(f"line {self.at + 1}: no key in {found[1]!r}")
            key = match[1].strip("\"'")
            if key in result:
                raise Unreadable(f"line {self.at + 1}: {key} twice")
            self.at += 1
            result[key] = self.value(match[2] or "", indent)
        return result

    def sequence(self, indent):
        result = []
        while (found := self.peek()) is not None and found[0] == indent and (found[1] == "-" or found[1].startswith("- ")):
            rest = found[1][1:].strip()
            if rest and KEY.match(rest) and rest[0] not in "{[":
                # A mapping whose first key stands beside the dash: it is indented as that key is.
                line = self.lines[self.at]
                self.lines[self.at] = line[:indent] + " " + line[indent + 1 :]
                result.append(self.block(indent + 1))
            else:
                self.at += 1
                result.append(self.value(rest, indent))
        return result

    def value(self, text, indent):
        """The value behind a key or a dash at this indentation: on the same line, or in the lines below."""
        text = TAG.sub("", text, count=1) if text.startswith("!") else text
        if not text:
            below = self.peek()
            if below is not None and below[0] == indent and below[1].startswith("- "):
                return self.sequence(indent)
            return self.block(indent + 1)
        if text[0] in "|>":
            return self.block_scalar(text, indent)
        if text[0] in "{[":
            while not _balanced(text):
                below = self.peek()
                if below is None:
                    raise Unreadable(f"line {self.at}: {text[0]} without its end")
                text += " " + below[1]
                self.at += 1
            return _Flow(text, self.at).whole()
        if text[0] in "\"'":
            return _unquoted(text)
        # A plain scalar may go on in lines that are indented more.
        while (below := self.peek()) is not None and below[0] > indent:
            text += " " + below[1]
            self.at += 1
        if ": " in text:
            raise Unreadable(f"line {self.at}: {text!r} is neither a key nor plain")
        return _scalar(text)

    def block_scalar(self, header, indent):
        lines = []
        while self.at < len(self.lines):
            line = self.lines[self.at]
            if line.strip() and len(line) - len(line.lstrip()) <= indent:
                break
            lines.append(line.strip())
            self.at += 1
        while lines and not lines[-1]:
            lines.pop()
        text = ("\n" if header[0] == "|" else " ").join(lines)
        return text if "-" in header else text + "\n"


class _Flow:
    """A flow collection, character by character."""

    def __init__(self, text, line):
        self.text, self.at, self.line = text, 0, line

    def whole(self):
        value = self.item()
        if self.text[self.at :].strip():
            raise Unreadable(f"line {self.line}: {self.text[self.at:]!r} behind a collection")
        return value

    def space(self):
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1

    def take(self, character):
        self.space()
        if self.text[self.at : self.at + 1] == character:
            self.at += 1
            return True
        return False

    def item(self):
        self.space()
        if tag := TAG.match(self.text, self.at):
            self.at = tag.end()
        if self.take("["):
            items = []
            while not self.take("]"):
                items.append(self.item())
                self.take(",") or self.expect("]")
            return items
        if self.take("{"):
            pairs = {}
            while not self.take("}"):
                key = self.word(":")
                self.space()
                if not self.take(":"):
                    raise Unreadable(f"line {self.line}: {key} has no value")
                pairs[str(key)] = self.item()
                self.take(",") or self.expect("}")
            return pairs
        return self.word("")

    def expect(self, character):
        self.space()
        if self.text[self.at : self.at + 1] != character:
            raise Unreadable(f"line {self.line}: {character} expected at {self.text[self.at:]!r}")

    def word(self, until):
        self.space()
        if self.text[self.at : self.at + 1] in ("'", '"'):
            quote = self.text[self.at]
            end = self.text.find(quote, self.at + 1)
            if end < 0:
                raise Unreadable(f"line {self.line}: a quote without its end")
            word = self.text[self.at + 1 : end]
            self.at = end + 1
            return word
        start = self.at
        while self.at < len(self.text) and self.text[self.at] not in ",[]{}":
            if self.text[self.at] == ":" and (until or self.text[self.at + 1 : self.at + 2].isspace()):
                break
            self.at += 1
        return _scalar(self.text[start : self.at].strip())


def _without_comment(line):
    quote = None
    for index, character in enumerate(line):
        if quote:
            quote = None if character == quote else quote
        elif character in "\"'" and (index == 0 or not line[index - 1].isalnum()):
            quote = character
        elif character == "#" and (index == 0 or line[index - 1].isspace()):
            return line[:index]
    return line


def _balanced(text):
    depth, quote = 0, None
    for character in text:
        if quote:
            quote = None if character == quote else quote
        elif character in "\"'":
            quote = character
        else:
            depth += (character in "{[") - (character in "}]")
    return depth == 0 and quote is None


def _unquoted(text):
    if len(text) < 2 or text[-1] != text[0]:
        raise Unreadable(f"{text!r} has no closing quote")
    return text[1:-1]


def _scalar(text):
    if NUMBER.match(text):
        return int(text)
    return {"true": True, "false": False, "null": None, "~": None}.get(text, text)
