#!/usr/bin/env python3
"""Record what well-known cron libraries answer, as data for replay.c.

    python3 -m venv venv && venv/bin/pip install -r requirements.txt
    npm ci && (cd robfig && go build -o robfig .)
    venv/bin/python record.py | gzip -9n > record.gz

Draws 10,000 random expressions, each with a time zone and an instant (half of
them near a change of the zone's clock), and asks each library for the next
time.  Prints lines of fields separated by tabs:

    zone   name  change:offset-after ...         the first without a change
    case   expression  zone  instant  cronsim  croniter  cron-parser  robfig

Times are seconds since 1970; an answer is in seconds after the instant, "-"
for never, "x" for an expression that the library does not take.
"""
import random
import re
import subprocess
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from croniter import croniter
from cronsim import CronSim

CASES = 10000
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Asuncion"]
FIRST, LAST = 2005, 2024		# years whose rules of these zones are history

FIELDS = [(0, 59), (0, 59), (0, 23), (1, 31), (1, 12), (0, 7)]
SECOND, MINUTE, HOUR, DAY, MONTH, WEEKDAY = range(6)
MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
WEEKDAYS = "sun mon tue wed thu fri sat".split()

rng = random.Random(20260101)


def seconds(moment):
    return int(moment.timestamp())


# ---- zones ----

def changes_of(name):
    """The changes of a zone's offset from FIRST to ten years after LAST."""
    zone = ZoneInfo(name)
    at = seconds(datetime(FIRST - 1, 1, 1, tzinfo=timezone.utc))
    end = seconds(datetime(LAST + 10, 1, 1, tzinfo=timezone.utc))

    def offset(t):
        return int(datetime.fromtimestamp(t, zone).utcoffset().total_seconds())

    changes = [(at, offset(at))]
    while at < end:
        step = at + 86400
        if offset(step) != offset(at):
            low, high = at, step
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if offset(middle) == offset(at) else (low, middle)
            changes.append((high, offset(high)))
        at = step
    return changes


# ---- expressions ----

def value(field):
    low, high = FIELDS[field]
    n = rng.randint(low, high)
    if field == MONTH and rng.random() < 0.3:
        return n, rng.choice([str, str.upper, str.capitalize])(MONTHS[n - 1])
    if field == WEEKDAY and n < 7 and rng.random() < 0.3:
        return n, rng.choice([str, str.upper, str.capitalize])(WEEKDAYS[n])
    return n, "%02d" % n if rng.random() < 0.05 else str(n)


def item(field):
    low, high = FIELDS[field]
    kind = rng.random()
    if kind < 0.5:
        return value(field)[1]
    if kind < 0.7:
        a, b = sorted([value(field), value(field)])
        step = "/%d" % rng.randint(1, max(1, b[0] - a[0])) if rng.random() < 0.3 else ""
        return "%s-%s%s" % (a[1], b[1], step)
    if kind < 0.85:
        return "*/%d" % rng.randint(1, min(high, 30))
    if kind < 0.9 and field != WEEKDAY:
        return "%s/%d" % (value(field)[1], rng.randint(1, high))
    if field == DAY:
        return "L"
    if field == WEEKDAY:
        n = rng.randint(0, 6)
        return "%d%s" % (n, rng.choice(["L", "#%d" % rng.randint(1, 5)]))
    return value(field)[1]


def field_text(field):
    any_value = {SECOND: 0.2, MINUTE: 0.2, HOUR: 0.3, DAY: 0.6, MONTH: 0.6, WEEKDAY: 0.6}[field]
    if rng.random() < any_value:
        return "?" if field in (DAY, WEEKDAY) and rng.random() < 0.1 else "*"
    return ",".join(item(field) for _ in range(rng.choice([1, 1, 1, 2, 3])))


def near_change(text, local):
    """Fixed times around the change at this local time."""
    fields = text.split(" ")
    hours = [(local.hour + d) % 24 for d in (-1, 0, 0, 1, 2)]
    fields[-4] = ",".join(str(h) for h in sorted(rng.sample(hours, rng.choice([1, 1, 2]))))
    fields[-3:] = ["*", "*", "*"]
    return " ".join(fields)


def draw(zones):
    name = rng.choice(ZONES[:1] * 2 + ZONES)
    fields = range(MINUTE if rng.random() < 0.8 else SECOND, WEEKDAY + 1)
    text = " ".join(field_text(f) for f in fields)
    at = rng.randint(seconds(datetime(FIRST, 1, 1, tzinfo=timezone.utc)),
                     seconds(datetime(LAST, 12, 31, tzinfo=timezone.utc)))
    changes = [c for c in zones[name][1:] if FIRST <= datetime.fromtimestamp(c[0], timezone.utc).year <= LAST]
    if changes and rng.random() < 0.6:
        change = rng.choice(changes)[0]
        at = change + rng.randint(-90000, 14400)
        if rng.random() < 0.7:
            text = near_change(text, datetime.fromtimestamp(change - 1, ZoneInfo(name)))
    if rng.random() < 0.01:
        text = rng.choice(["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"])
    return text, name, at


# ---- libraries ----

def common(text):
    """The spelling that all libraries share."""
    out = []
    for i, field in enumerate(text.split(" ")):
        out.append("*" if field == "?" else field)
    return " ".join(out)


WORDS = {"@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
         "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *"}


def ask_cronsim(text, name, at):
    start = datetime.fromtimestamp(at, timezone.utc if name == "UTC" else ZoneInfo(name))
    try:
        found = next(CronSim(WORDS.get(text, common(text)), start))
    except StopIteration:
        return None
    return seconds(found)


def ask_croniter(text, name, at):
    fields = common(text).split(" ")
    if not text.startswith("@"):		# 5L is L5 there
        fields[-1] = ",".join("L" + f[:-1] if f.endswith("L") else f for f in fields[-1].split(","))
    start = datetime.fromtimestamp(at, ZoneInfo(name))
    it = croniter(" ".join(fields), start, ret_type=datetime, second_at_beginning=True)
    return seconds(it.get_next(datetime))


def ask(library, text, name, at):
    try:
        found = library(text, name, at)
    except Exception:					# each has its own
        return "x"
    return "-" if found is None else str(found - at)


def ask_process(command, cases):
    lines = "".join("%s\t%s\t%d\n" % (common(text) if not text.startswith("@") else text, name, at)
                    for text, name, at in cases)
    answers = subprocess.run(command, input=lines, text=True, stdout=subprocess.PIPE, check=True).stdout.split()
    assert len(answers) == len(cases)
    return [a if a in "x-" else str(int(a) - case[2]) for a, case in zip(answers, cases)]


# ---- Vixie cron, the slow and simple way ----

def number(text, field):
    names = {MONTH: MONTHS, WEEKDAY: WEEKDAYS}.get(field, [])
    return names.index(text.lower()) + FIELDS[field][0] if text.lower() in names else int(text)


def parse(text, field):
    """The values of a field, and its special items ("L", (weekday, "L"), (weekday, n))."""
    values, special = set(), set()
    low, high = FIELDS[field]
    for part in text.split(","):
        part, _, step = part.partition("/")
        if field == DAY and part == "L":
            special.add("L")
        elif field == WEEKDAY and "#" in part:
            special.add((number(part.split("#")[0], field), int(part.split("#")[1])))
        elif field == WEEKDAY and part.endswith("L"):
            special.add((number(part[:-1], field), "L"))
        else:
            first, dash, last = part.partition("-")
            if part in "*?":
                first, last = low, min(high, 6) if field == WEEKDAY else high
            else:
                first = number(first, field)
                last = number(last, field) if dash else high if step else first
            values.update(range(first, last + 1, int(step or 1)))
    return {v % 7 for v in values} if field == WEEKDAY else values, special


class Vixie:
    def __init__(self, text):
        fields = WORDS.get(text, text).split(" ")
        if len(fields) == 5:
            fields.insert(0, "0")
        self.values, self.special = zip(*(parse(f, i) for i, f in enumerate(fields)))
        self.both = fields[DAY][0] in "*?" or fields[WEEKDAY][0] in "*?"
        self.follows_clock = any(f[0] == "*" for f in fields[:DAY])

    def has_day(self, day):
        if day.month not in self.values[MONTH]:
            return False
        last = (day + timedelta(1)).month != day.month
        weekday = (day.weekday() + 1) % 7
        by_day = day.day in self.values[DAY] or (last and "L" in self.special[DAY])
        by_weekday = weekday in self.values[WEEKDAY] or any(
            w == weekday and ((day + timedelta(7)).month != day.month if n == "L" else (day.day - 1) // 7 + 1 == n)
            for w, n in self.special[WEEKDAY])
        return by_day and by_weekday if self.both else by_day or by_weekday

    def times(self, start):
        """Local times in order, from the day before."""
        day = start.replace(hour=0, minute=0, second=0) - timedelta(1)
        for _ in range(60 * 366):
            if self.has_day(day):
                for hour in sorted(self.values[HOUR]):
                    if day + timedelta(hours=hour) < start - timedelta(hours=4):
                        continue
                    for minute in sorted(self.values[MINUTE]):
                        for second in sorted(self.values[SECOND]):
                            yield day.replace(hour=hour, minute=minute, second=second)
            day += timedelta(1)

    def moments(self, local, zone, changes):
        """When it runs for this local time: twice, once, or for a time left out
        at the change or not at all."""
        both = [local.replace(tzinfo=zone, fold=f).astimezone(timezone.utc) for f in (0, 1)]
        found = [seconds(m) for m in both if m.astimezone(zone).replace(tzinfo=None) == local]
        if self.follows_clock:
            return found
        if found:
            return found[:1]
        naive = seconds(local.replace(tzinfo=timezone.utc))
        return [at for (at, after), (_, before) in zip(changes[1:], changes)
                if before <= naive - at < after]

    def next(self, name, at, changes):
        zone = ZoneInfo(name)
        start = datetime.fromtimestamp(at, zone).replace(tzinfo=None, fold=0)
        best, seen = None, None
        for local in self.times(start):
            if seen is not None and local > seen + timedelta(hours=4):
                break				# no clock is set back by more
            for moment in self.moments(local, zone, changes):
                if moment > at and (best is None or moment < best):
                    best, seen = moment, seen or local
        return best


def sees_change(at, answer, changes):
    """Is a change of the clock between the two, or close?"""
    low, high = min(at, at + answer) - 90000, max(at, at + answer) + 90000
    return any(low <= change <= high for change, _ in changes[1:])


def has_range_of_one(text):
    """Is there a range of one value, as 5-5 or 5-5/2, or a step that leads out of
    the field at once, as 12/2 for months?"""
    for i, field in enumerate(reversed(text.split(" "))):
        high = FIELDS[WEEKDAY - i][1]
        for part in field.split(","):
            m = re.fullmatch(r"(\w+)-(\w+)(?:/\d+)?", part)
            if m and number(m[1], WEEKDAY - i) == number(m[2], WEEKDAY - i):
                return True
            m = re.fullmatch(r"(\w+)/(\d+)", part)
            if m and number(m[1], WEEKDAY - i) + int(m[2]) > high:
                return True
    return False


def why(text, at, answers, changes):
    """Why libraries differ, as far as the script can tell: see README.md."""
    fields = WORDS.get(text, text).split(" ")
    reasons = ""
    if fields[-1] not in "*?" and fields[-3] not in "*?":
        reasons += "d"
    if has_range_of_one(" ".join(fields)):
        reasons += "r"
    if "/" in fields[-1] and not fields[-1].startswith("*"):
        reasons += "w"
    if "L" in fields[-3] or "L" in fields[-1] or "#" in fields[-1]:
        reasons += "l"
    if any(sees_change(at, int(a), changes) for a in answers if a not in "x-"):
        reasons += "c"
    return reasons or "o"


def main():
    zones = {name: changes_of(name) for name in ZONES}
    cases = [draw(zones) for _ in range(CASES)]
    cron_parser = ask_process(["node", "cron_parser.mjs"], cases)
    robfig = ask_process(["robfig/robfig"], cases)
    for name, changes in zones.items():
        print("zone", name, " ".join("%d:%d" % c for c in changes), sep="\t")
    for (text, name, at), p, g in zip(cases, cron_parser, robfig):
        answers = [ask(ask_cronsim, text, name, at), ask(ask_croniter, text, name, at), p, g]
        verdict = ask(lambda t, n, a: Vixie(t).next(n, a, zones[n]), text, name, at)
        taken = {a for a in answers if a != "x"}
        reason = "" if taken <= {verdict} else why(text, at, answers + [verdict], zones[name])
        print("case", text, name, at, verdict, *("=" if a == verdict else a for a in answers), reason, sep="\t")


main()
