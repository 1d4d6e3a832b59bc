"""Schedule expressions of EventBridge: `rate(…)`, `cron(…)`, `at(…)`, and when each is due next. Pure.

Source: https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
"""

from __future__ import annotations

import calendar
import dataclasses
import datetime as dt
import re
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Iterator

UNITS: Final = {"minute": 60, "hour": 3600, "day": 86400}
MONTHS: Final = {name.upper(): number for number, name in enumerate(calendar.month_abbr) if name}
DAYS: Final = {
    name: number for number, name in enumerate(("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"), 1)
}
RANGES: Final = {"minutes": (0, 59), "hours": (0, 23), "months": (1, 12), "years": (1970, 2199)}
RATE: Final = re.compile(r"rate\((\d+) (minute|hour|day)(s?)\)")
AT: Final = re.compile(r"at\((\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})\)")
CRON: Final = re.compile(r"cron\((\S+) (\S+) (\S+) (\S+) (\S+) (\S+)\)")
HORIZON_YEARS: Final = 8  # a 29 February is at most that far


class ExpressionError(ValueError):
    """The expression is none that EventBridge takes."""


@dataclasses.dataclass(frozen=True)
class Cron:
    """A cron expression, taken apart; days are decided per month."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: str
    months: frozenset[int]
    weekdays: str
    years: frozenset[int]

    def moments(self, start: dt.datetime) -> Iterator[dt.datetime]:
        """All moments from `start` on, in order, within the horizon."""
        for year in range(start.year, min(start.year + HORIZON_YEARS, 2200) + 1):
            for month in sorted(self.months) if year in self.years else ():
                for day in self._days_of(year, month):
                    yield from self._of_day(dt.datetime(year, month, day, tzinfo=start.tzinfo), start)

    def _of_day(self, day: dt.datetime, start: dt.datetime) -> Iterator[dt.datetime]:
        if day.date() < start.date():
            return
        for hour in sorted(self.hours):
            for minute in sorted(self.minutes):
                moment = day.replace(hour=hour, minute=minute)
                if moment >= start:
                    yield moment

    def _days_of(self, year: int, month: int) -> list[int]:
        if self.weekdays == "?":
            return _days_of_month(self.days, year, month)
        return _days_of_week(self.weekdays, year, month)


def read(expression: str) -> Cron | dt.timedelta | dt.datetime:
    """Read an expression: a rate is a timedelta, `at` a datetime without a zone."""
    if found := RATE.fullmatch(expression):
        number = int(found[1])
        if number < 1 or (number == 1) == bool(found[3]):
            raise ExpressionError(f"{expression}: the unit does not agree with the value")
        return dt.timedelta(seconds=number * UNITS[found[2]])
    if found := AT.fullmatch(expression):
        return dt.datetime.fromisoformat(found[1])
    if found := CRON.fullmatch(expression):
        return _read_cron(*found.groups())
    raise ExpressionError(f"{expression} is not a schedule expression")


def _read_cron(minutes: str, hours: str, days: str, months: str, weekdays: str, years: str) -> Cron:
    if (days == "?") == (weekdays == "?"):
        raise ExpressionError("exactly one of day-of-month and day-of-week must be ?")
    cron = Cron(
        _numbers(minutes, *RANGES["minutes"]),
        _numbers(hours, *RANGES["hours"]),
        days.upper(),
        _numbers(months, *RANGES["months"], MONTHS),
        weekdays.upper(),
        _numbers(years, *RANGES["years"]),
    )
    cron._days_of(2024, 1)
    return cron


def _numbers(field: str, low: int, high: int, names: dict[str, int] | None = None) -> frozenset[int]:
    found: set[int] = set()
    for part in field.upper().split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        start = low if first == "*" else _number(first, names)
        end = high if first == "*" or (step and not last) else _number(last or first, names)
        if not low <= start <= end <= high or (step and int(step) < 1):
            raise ExpressionError(f"{part} is not within {low}-{high}")
        found.update(range(start, end + 1, int(step or 1)))
    return frozenset(found)


def _number(text: str, names: dict[str, int] | None) -> int:
    if names and text in names:
        return names[text]
    if not text.isdigit():
        raise ExpressionError(f"{text!r} is not a number")
    return int(text)


def _days_of_month(field: str, year: int, month: int) -> list[int]:
    length = calendar.monthrange(year, month)[1]
    if field == "L":
        return [length]
    if field == "LW":
        return [_nearest_weekday(year, month, length)]
    if found := re.fullmatch(r"(\d{1,2})W", field):
        return [_nearest_weekday(year, month, min(int(found[1]), length))]
    return [day for day in sorted(_numbers(field, 1, 31)) if day <= length]


def _nearest_weekday(year: int, month: int, day: int) -> int:
    length = calendar.monthrange(year, month)[1]
    weekday = calendar.weekday(year, month, day)
    if weekday == calendar.SATURDAY:
        return day - 1 if day > 1 else day + 2
    if weekday == calendar.SUNDAY:
        return day + 1 if day < length else day - 2
    return day


def _days_of_week(field: str, year: int, month: int) -> list[int]:
    length = calendar.monthrange(year, month)[1]
    by_weekday: dict[int, list[int]] = {}
    for day in range(1, length + 1):
        by_weekday.setdefault((calendar.weekday(year, month, day) + 1) % 7 + 1, []).append(day)
    if found := re.fullmatch(r"(\w+)#([1-5])", field):
        return by_weekday[_weekday(found[1])][int(found[2]) - 1 : int(found[2])]
    if field != "L" and (found := re.fullmatch(r"(\w+)L", field)):
        return by_weekday[_weekday(found[1])][-1:]
    wanted = {7} if field == "L" else _numbers(field, 1, 7, DAYS)
    return sorted(day for weekday in wanted for day in by_weekday[weekday])


def _weekday(text: str) -> int:
    number = _number(text, DAYS)
    if not 1 <= number <= len(DAYS):
        raise ExpressionError(f"{text} is not a day of the week")
    return number


def next_due(
    expression: str, after: dt.datetime, created: dt.datetime, zone: str = "UTC"
) -> dt.datetime | None:
    """The first moment later than `after` (aware) at which the expression is due; None if there is none.

    A rate counts from `created`.
    """
    found = read(expression)
    place = ZoneInfo(zone)
    if isinstance(found, dt.timedelta):
        return created + ((after - created) // found + 1) * found if after >= created else created + found
    if isinstance(found, dt.datetime):
        moment = found.replace(tzinfo=place)
        return moment if moment > after else None
    start = (after.astimezone(place) + dt.timedelta(minutes=1)).replace(second=0, microsecond=0)
    return next(found.moments(start), None)
