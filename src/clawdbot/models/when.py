"""When somebody wants to be reminded: durations, times of day, days, in English and Chinese.

Pure: the user's local time arrives as an argument. What it cannot read it does not guess.
"""

import re
from datetime import datetime, timedelta

from msgspec import Struct

from clawdbot.models.intent import plain

Span = tuple[int, int]

_ONES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
         "eleven", "twelve")  # fmt: skip
_NUMBERS: dict[str, float] = {word: number for number, word in enumerate(_ONES)} | {
    "a": 1, "an": 1, "a couple of": 2, "a few": 3, "fifteen": 15, "twenty": 20, "thirty": 30,
    "forty": 40, "fifty": 50, "sixty": 60, "ninety": 90, "half": 0.5, "half a": 0.5,
    "half an": 0.5, "quarter of an": 0.25, "a quarter of an": 0.25, "three quarters of an": 0.75,
    "半": 0.5,
}  # fmt: skip
_DIGITS = {digit: number for number, digit in enumerate("零一二三四五六七八九")} | {"两": 2}
_MINUTES = {"half": 30, "quarter": 15, "a quarter": 15, "半": 30, "一刻": 15, "三刻": 45, "整": 0}
_SECONDS = {
    "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "秒": 1, "分": 60, "刻": 900, "小": 3600,
    "钟": 3600, "天": 86400, "周": 604800, "星": 604800, "礼": 604800,
}  # fmt: skip
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = {"tod": 0, "ton": 0, "tom": 1, "tmr": 1, "day": 2, "the": 2, "今": 0, "明": 1, "后": 2}
# Which hour a part of the day means by itself; in those after noon "3" is 15.
_PARTS = {
    "morning": 9, "noon": 12, "midday": 12, "afternoon": 15, "evening": 19, "tonight": 20,
    "night": 21, "midnight": 24, "凌晨": 5, "早上": 8, "上午": 9, "中午": 12, "下午": 15,
    "傍晚": 18, "晚上": 20, "早": 8, "晚": 20,
}  # fmt: skip
_MORNING = 9
_WORD = "|".join(sorted((w for w in _NUMBERS if w.isascii() and len(w) > 2), key=len)[::-1])
_EN = (
    r"\d{1,6}(?:\.\d{1,3})?|(?:twenty|thirty|forty|fifty|sixty|ninety)"
    rf"(?:[ -](?:{'|'.join(_ONES[1:10])})\b)?|{_WORD}|an?"
)
_HAN = "[零一二两三四五六七八九十百]{1,7}"
_HOUR = rf"\d\d?|{'|'.join(_ONES[:0:-1])}"
_AT = r"(?:\b(?:at|by|around|for|until) |@ ?)"
_MONTH = (
    "jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    "|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?"
)

# As in "in two and a half hours", "an hour and a half", "10m later", 过两个半小时, 一刻钟后.
_LASTING = re.compile(
    rf"(?P<before>\b(?:in|after|within) )?(?:about |around )?\b(?P<count>{_EN})"
    r"(?P<half> and a half)?"
    r"(?:[ -]?(?P<unit>(?:second|sec|minute|min|hour|hr|day|week)s?)|(?<=\d)(?P<short>[smhdw]))"
    r"\b(?P<more> and a half)?(?P<after> from now| later)?"
    rf"|(?P<before_>再?过|再?等)?在?(?P<count_>\d{{1,6}}(?:\.\d{{1,3}})?|半|{_HAN})个?(?P<half_>半)?"
    r"(?P<unit_>秒钟?|分钟|分(?=后|之后|以后)|刻钟?|小时|钟头|天|周|星期|礼拜)(?P<more_>半)?"
    r"(?P<after_>之?后|以后|过后)?"
)
# As in "5:30 pm", "5 o'clock", "quarter to six", "at 8", "7 tomorrow", "for 7", 八点三刻.
_CLOCKS = (
    re.compile(rf"{_AT}?(?<!\d)(?P<hour>\d\d?):(?P<minute>\d\d)(?: ?(?P<half>[ap])\.?m\b\.?)?"),
    re.compile(rf"{_AT}?\b(?P<hour>{_HOUR}) ?(?:(?P<half>[ap])\.?m\b\.?|o ?['’]?clock\b)"),
    re.compile(
        rf"{_AT}?\b(?P<minute>half|(?:a )?quarter|{_EN})(?: minutes)? (?P<side>past|to) "
        rf"(?P<hour>{_HOUR})\b"
    ),
    re.compile(rf"(?:\b(?:at|by|around|until) |@ ?)(?P<hour>{_HOUR})\b(?!\.\d| ?%| percent)"),
    re.compile(rf"{_AT}?\b(?P<hour>{_HOUR})(?= (?:tomorrow|today|tonight|in the|this)\b)"),
    re.compile(rf"\bfor (?P<hour>{_HOUR})(?=[.!]?$)"),
    re.compile(
        rf"在?(?!(?<=[快多有早晚少])一点)(?P<hour>\d\d?|{_HAN})(?:点钟?|时(?![候间]))"
        rf"(?P<minute>半|整|[一三]刻|(?:\d\d?|{_HAN})分?)?(?![点儿])"
    ),
)
_PART = re.compile(
    r"\b(?:(?:in|at|this) (?:the )?)?"
    r"(morning|noon|midday|afternoon|evening|tonight|night|midnight)\b|在?(凌晨|早上|上午|中午|下午|傍晚|晚上|(?<=[今明])[早晚])"
)
_DAY = re.compile(
    r"\b(?:later )?(?P<day>today|tonight|(?:the )?day after tom+or+ow|tom+or+ow|tmrw|tmr)\b(?!['’])"
    rf"|\b(?:on )?(?P<next>next )?(?:this |coming )?(?P<weekday>{'|'.join(_WEEKDAYS)})\b(?!['’])"
    r"|在?(?P<day_>大?后天|[今明](?:天|日|儿|(?=[早晚])))"
    r"|这?(?P<next_>下*)个?(?:周|星期|礼拜)(?P<weekday_>[一二三四五六日天末])"
)
_DATES = (
    re.compile(r"(?:\bon )?(?P<year>\d{4})-(?P<month>\d\d?)-(?P<day>\d\d?)\b"),
    re.compile(rf"\b(?:on )?(?:the )?(?P<day>\d\d?)(?:st|nd|rd|th)?(?: of)? (?P<month>{_MONTH})\b"),
    re.compile(rf"\b(?:on )?(?P<month>{_MONTH}) (?P<day>\d\d?)(?:st|nd|rd|th)?\b(?!:)"),
    re.compile(r"\bon the (?P<day>\d\d?)(?:st|nd|rd|th)\b"),
    re.compile(rf"(?P<month>\d\d?|{_HAN})月(?P<day>\d\d?|{_HAN})[日号]"),
    re.compile(rf"(?P<day>\d\d?|{_HAN})号(?=早|上午|中午|下午|晚|\d|{_HAN}点|提醒)"),
)
_TIMING = re.compile("timer|countdown|alarm|remind|计时|定时|闹钟|提醒")
_WAKING = re.compile("wake|alarm|起床|起来|叫醒|闹钟")
_REPEATED = re.compile(
    r"\b(?:every|each) (?:other )?(?:day|morning|evening|night|hour|week|month|year"
    rf"|\d+|{'|'.join(_WEEKDAYS)})|\b(?:daily|hourly|weekly|monthly)\b"
    r"|每(?:天|日|早|晚|周|隔|个?星期|个?月|年|个?小时)"
)


class When(Struct, frozen=True):
    """A time that was found: the places of its words, and seconds from now or a local time."""

    spans: tuple[Span, ...]
    in_seconds: float = 0.0
    at: str = ""


def number(words: str) -> float:
    """Read a number in digits or in words."""
    if words[0].isdigit():
        return float(words)
    if words in _NUMBERS:
        return _NUMBERS[words]
    if words.isascii():
        return sum(_NUMBERS[word] for word in re.split("[ -]", words))
    whole, digit = 0, 0
    for character in words:
        digit = _DIGITS.get(character, digit)
        if tens := {"十": 10, "百": 100}.get(character, 0):
            whole, digit = whole + (digit or 1) * tens, 0
    return whole + digit


def repeated(text: str) -> bool:
    """Tell whether a text asks for more than one time."""
    return bool(_REPEATED.search(plain(text)))


def find(text: str, now: datetime) -> When | None:
    """Find when a text means, by the user's local time."""
    folded = plain(text)
    lasting = _lasting(folded)
    clock, date = _first(folded, *_CLOCKS), _first(folded, *_DATES)
    part, day = _PART.search(folded), _DAY.search(folded)
    if lasting and lasting.marked and not (clock and lasting.seconds % _SECONDS["d"] == 0):
        return When((lasting.span,), in_seconds=lasting.seconds)
    if not (clock or date or part or day):
        timing = lasting and lasting.seconds < _SECONDS["d"] and _TIMING.search(folded)
        return When((lasting.span,), in_seconds=lasting.seconds) if lasting and timing else None
    try:
        base = _dated(date, now) if date else _day(day, now) if day else None
        if lasting and lasting.marked:
            base = now + timedelta(seconds=lasting.seconds)
        face = not _WAKING.search(folded)
        due = _due(base, clock, part[1] or part[2] if part else "", now, face=face)
    except (ValueError, OverflowError):  # no calendar has such a day, no clock such an hour
        return None
    if due and due <= now and day and (day["weekday"] or day["weekday_"]):
        due += timedelta(days=7)
    spans = [found.span() for found in (clock, date, part, day) if found]
    spans += [lasting.span] if lasting and lasting.marked else []
    return When(tuple(spans), at=due.strftime("%Y-%m-%d %H:%M")) if due else None


class _Lasting(Struct, frozen=True):
    """A duration; `marked` where the words say that it is from now."""

    span: Span
    marked: bool
    seconds: float


def _lasting(text: str) -> _Lasting | None:
    """Find the first duration, rather one from now; adjoining ones add up."""
    found: list[_Lasting] = []
    for match in _LASTING.finditer(text):
        group = _given(match)
        count = number(group["count"]) + 0.5 * ("half" in group or "more" in group)
        seconds = count * _SECONDS[(group.get("unit") or group["short"])[0]]
        start, marked = match.start(), "before" in group or "after" in group
        if found and re.fullmatch("[ ,，]*(?:and )?", text[found[-1].span[1] : start]):
            last = found.pop()
            start, marked = last.span[0], marked or last.marked
            seconds += last.seconds
        found.append(_Lasting((start, match.end()), marked, seconds))
    return next((one for one in found if one.marked), found[0] if found else None)


def _dated(date: re.Match[str], now: datetime) -> datetime:
    group = _given(date)
    day, month = int(number(group["day"])), group.get("month", "")
    if not month:
        start = now.replace(day=1)
        return (start + timedelta(days=31) if day < now.day else start).replace(day=day)
    named = _MONTHS.index(month[:3]) + 1 if month[:3] in _MONTHS else int(number(month))
    found = now.replace(year=int(group.get("year", now.year)), month=named, day=day)
    return found if "year" in group or found >= now else found.replace(year=now.year + 1)


def _day(day: re.Match[str], now: datetime) -> datetime:
    group = _given(day)
    if not (weekday := group.get("weekday")):
        word = group["day"]
        return now + timedelta(
            days=3 if word[0] == "大" else _DAYS[word[: 3 if word.isascii() else 1]]
        )
    if weekday in _WEEKDAYS:
        ahead = (_WEEKDAYS.index(weekday) - now.weekday()) % 7
        return now + timedelta(days=ahead or 7 * ("next" in group))
    ahead = {"天": 6, "末": 5}.get(weekday, "一二三四五六日".find(weekday)) - now.weekday()
    weeks = len(group.get("next", ""))
    return now + timedelta(days=ahead + 7 * weeks if weeks else ahead % 7)


def _due(
    base: datetime | None, clock: re.Match[str] | None, part: str, now: datetime, *, face: bool
) -> datetime | None:
    """Join day, hour and part of the day; on a clock's face "at 8" is the next 8 or 20."""
    usual = _PARTS.get(part, 0)
    hour, minute, sure = usual or _MORNING, 0, True
    if clock:
        group = _given(clock)
        hour, minute = int(number(group["hour"])), _minute(group.get("minute", ""))
        minute = -minute if group.get("side") == "to" else minute
        if half := group.get("half"):
            hour = hour % 12 + 12 * (half == "p")
        elif hour == 12 and usual > 15:
            hour = 24
        elif (hour < 12 and usual > 12) or (hour < 5 and usual == 12):
            hour += 12
        sure = bool(half or part or ":" in clock[0]) or not 0 < hour <= 12
    elif not part and base and base.date() == now.date():
        return None
    if not 0 <= hour * 60 + minute <= 24 * 60:
        raise ValueError(hour)
    midnight = (base or now).replace(hour=0, minute=0, second=0, microsecond=0)
    due = midnight + timedelta(hours=hour, minutes=minute)
    if due <= now and midnight.date() == now.date():
        if face and not sure and due + timedelta(hours=12) > now:
            return due + timedelta(hours=12)
        return due if base else due + timedelta(days=1)
    return due


def _minute(words: str) -> int:
    if words in _MINUTES:
        return _MINUTES[words]
    return int(number(words.removesuffix("分"))) if words else 0


def _first(text: str, *patterns: re.Pattern[str]) -> re.Match[str] | None:
    return next((found for pattern in patterns if (found := pattern.search(text))), None)


def _given(match: re.Match[str]) -> dict[str, str]:
    """List what was matched; the Chinese half of a pattern marks its names by a line."""
    return {name.rstrip("_"): words for name, words in match.groupdict().items() if words}
