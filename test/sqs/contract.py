# SPDX-License-Identifier: Apache-2.0
"""The list of rules, what the tests said of each, and the page that shows it.

contract.txt: a line `theme: Title` begins a theme, whose tests are in test_theme.py; a line
`ID words` is a rule of it, `ID - words` one that takt has not built yet.
"""
import re


class Rule:
    def __init__(self, theme, ident, is_built, words):
        self.theme, self.ident, self.is_built, self.words = theme, ident, is_built, words
        self.tests = set()
        self.passed = set()
        self.failed = set()

    def slug(self):
        return re.sub(r"[^a-z0-9]+", " ", self.words.lower()).strip()

    def holds(self):
        return bool(self.passed) and not self.failed


class Contract:
    def __init__(self, path):
        self.titles = {}
        self.rules = []
        self.strangers = []  # tests without a rule
        self.by_test = {}
        self.is_whole = False
        with open(path, encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                self.read(line.rstrip("\n"), number)
        self.by_words = {(rule.theme, rule.slug()): rule for rule in self.rules}
        assert len(self.by_words) == len(self.rules), "two rules of a theme have the same words"
        assert len({rule.ident for rule in self.rules}) == len(self.rules), "an id comes twice"

    def read(self, line, number):
        if line.strip() == "" or line.startswith("#"):
            return
        theme = re.fullmatch(r"(\w+): (.+)", line)
        rule = re.fullmatch(r"([A-Z]+-\d+) (- )?(.+)", line)
        assert theme or rule, f"contract.txt:{number}: neither a theme nor a rule"
        if theme:
            self.titles[theme[1]] = theme[2]
        else:
            self.rules.append(Rule(list(self.titles)[-1], rule[1], rule[2] is None, rule[3]))

    def found(self, theme, words, test):
        rule = self.by_words.get((theme, words))
        if rule is not None:
            rule.tests.add(test)
            self.by_test[test] = rule
        elif theme in self.titles:
            self.strangers.append(test)

    def ran(self, test, passed):
        rule = self.by_test.get(test)
        if rule is not None:
            (rule.passed if passed else rule.failed).add(test)

    def untested(self):
        return [rule for rule in self.rules if rule.is_built and not rule.tests]

    def held(self):
        return sum(rule.holds() for rule in self.rules)

    def summary(self):
        missing = sum(not rule.is_built for rule in self.rules)
        return (f"{self.held()} of the {len(self.rules)} rules of the SQS contract hold; "
                f"{missing} are not built yet")

    def write(self, path):
        lines = ["# How takt keeps SQS's contract", "",
                 "Written by the test run (`make test`, or `pytest test/sqs`): do not edit. A rule",
                 "is in `test/sqs/contract.txt`, its test has its words as its name, and runs",
                 "against the real program in AWS JSON 1.0 and in the Query protocol.", "",
                 self.summary() + ".", ""]
        for theme, title in self.titles.items():
            lines += [f"## {title}", "", f"`test/sqs/test_{theme}.py`", "",
                      "| rule | | |", "|---|---|---|"]
            lines += [f"| {rule.ident} | {rule.words} | {self.word(rule)} |"
                      for rule in self.rules if rule.theme == theme]
            lines.append("")
        text = "\n".join(lines).rstrip() + "\n"
        with open(path, "a+", encoding="utf-8") as file:
            file.seek(0)
            if file.read() != text:
                file.truncate(0)
                file.write(text)

    @staticmethod
    def word(rule):
        if not rule.is_built:
            return "not built yet"
        return "holds" if rule.holds() else "**does not hold**"
