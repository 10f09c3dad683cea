"""What a request is about: the words of a note or a reminder, a note's number, a place.

Pure; cuts English and Chinese by rules. Where no rule holds it keeps all words, or finds nothing:
it never guesses a number.
"""

import re
from collections.abc import Iterable, Mapping

from clawdbot.models.intent import plain
from clawdbot.models.when import Span, number

_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth",
             "tenth")  # fmt: skip
_HAN = "[一二两三四五六七八九十]{1,5}"
_VERBS = (
    "(?:take|make|add|create|write|save|keep|put|jot|log|store|record|stick|leave|note|remember)"
)
_PAD = "(?:笔记本?|备忘录?|便签|记事本|本子)"
_BOOK = "(?:my|the) (?:notes?|notebook|memos?)"
_NEW = "(?:(?:an?|the|this|another|one|new|quick|short|following) )*"
_PAPER = r"\b(?:note|memo|to-?do)s?\b(?: down)?(?: (?:to|for) (?:self|myself|me|later))?"
_THIS = "(?: (?:this|that|it|something|the following))?"
_FILED = rf"(?: (?:as|in|into|to) (?:an? note|{_BOOK}))?"
_TAKE = "(?:把(?:这个|这条|这句话|这件事|它))?"
_WRITE = (
    "(?:新建|新增|添加?|增加|加入?|创建|写|做|存|保存|记录|留|记|备注)"
    "(?:一下|下来|下|住|着|到|进|在|好了?|一?[个条笔](?!记)|点?东西|事|[哦啊])*"
)
_POLITE = (
    r"(?:hey|hi|ok|so|please|pls|plz|kindly|(?:can|could|will|would) you(?: mind)?|clawdbot|let me"
    r"|i(?:['’]?d like| would like| want| need)(?: you)?(?: to)?|do(?:n['’]?t| not) forget to)[ ,]+"
    r"|请|麻烦你?|拜托|[帮给替]我|帮忙|你|我?[要想]|随手|记得|不要忘记|到(?:时间|时候?|点|了)|能不能|能"
    r"|待会儿?|稍后|确保|别让我(?:忘了|错过)|别忘了(?=提醒)|\s"
)
# What may stand before a note's own words; the longest counts.
_NOTES = (
    rf"(?:{_VERBS} )?(?:me )?(?:down )?{_NEW}{_PAPER}(?: of (?:this|that))?",
    rf"{_VERBS}{_THIS}(?: for (?:me|later))?(?: down)?{_FILED}(?: for (?:me|later))?\b(?! {_BOOK})",
    rf"(?:keep|bear) in mind|do(?:n['’]?t| not) forget|(?:in|into|for|to) {_BOOK}(?: please)?",
    f"(?:{_PAD}[里中上]+)?{_TAKE}{_WRITE}(?:(?:我的)?{_PAD}[里中上]?)?(?:一下)?",
    f"新?{_PAD}(?:一下)?|待办|别忘[了记](?:帮我)?(?:[写记]进{_PAD}[里中]?)?",
)
_SAYS = r"[\s:：,，.。!！?？、–—-]*(?:(?:that|saying|to)\b|说(?!明))?[\s:：,，–—-]*"
_TAIL = rf"[ ,]*(?:(?:to|in|into) {_BOOK}|please)[ .!]*$"
# What asks for a reminder; the first one is left out of its words.
_REMIND = (
    r"(?:(?:set|create|add|make|schedule|start|put|give|send|have)(?: me)?(?: up)? )?"
    r"(?:an?|the|another|one)? ?(?:new )?\b(?:reminder|alarm|timer|countdown)s?\b(?: of\b)?"
    r"|\b(?:be )?remind(?:ing|ed|s)?\b(?: me)?"
    r"|\b(?:ping|poke|nudge|alert|notify|buzz|message|wake|shout at|tell|call|let|give) me"
    r"(?: back)?(?: up| know| an? (?:shout|nudge|call|buzz|ring))?"
    r"|do(?:n['’]?t| not) let me (?:forget|miss)|^\w+ me\b(?= *(?:to|that|about|of)\b)"
    r"|(?:设置|设定|设|定|订|上|开|来|添加|新建|新增|加|创建|发|我?需要|要|收到)?[一个条的\s]*"
    "(?:提醒事项|提个醒|提醒|闹钟|闹铃|计时器?|定时器?|倒计时)(?:一下|一声|我)*"
    "|(?:叫醒|叫|喊|通知|告诉|戳|跟)我(?:一下|一声|说)*"
)
_LINK = (
    r"(?:[\s:：,，;；.。、–—-]|(?:to|that|about|of|for|at|on|in|and)\b|的?时候|的|说(?!明)"
    r"|在(?=\s*(?:的|$)))+"
)
_CLOSE = (
    r"(?:[\s:：,，;；.。!！?？、–—-]|\bplease|\bfor|\bat|别忘了|好吗|谢谢|大概|左右|[吧哦啊的])+$"
)

_NUMBER = re.compile(
    r"(?<![a-z\d.:])#?(\d{1,6})(?:st|nd|rd|th)?(?![.:%]?\d)"
    rf"|\b({'|'.join(_ORDINALS)})\b"
    r"|\b(?:note|memo|number|no\.?) (one|two|three|four|five|six|seven|eight|nine|ten)\b"
    rf"|第({_HAN})|({_HAN})号|(?:笔记|备忘录?|编号)({_HAN})(?![条个])"
)
_ZONE = re.compile(r"\b[A-Z]\w+(?:/[A-Z][\w+-]+)+", re.ASCII)
_ABROAD = re.compile(
    r"\b(?:in|for) (?!(?:the|my|me|an?|this|here|which|your)\b)([a-z][a-z .'’-]{0,40}?)"
    r"(?: (?:right now|now|please|at the moment|today|currently))*[?!. ]*$"
    r"|^([\u3400-\u9fff]{2,5}?)(?:那边|那里|当地|这会儿?|此刻|现在|目前|的?时间)+(?:是|几点|什么)"
)
_HERE = re.compile("[请现今当目告什这那都已你我看查报说时几此知帮麻想大啥本]|general|utc")


def note(text: str) -> str:
    """Find the words that a note is to hold; empty where only the wish for one stands there."""
    start = _after(plain(text), rf"(?:{_POLITE})*")
    ends = [end for head in _NOTES if (end := _after(plain(text[start:]), head))]
    if not ends:
        return text.strip()
    kept = text[start + max(ends) :]
    kept = kept[_after(plain(kept), _SAYS) :]
    filed = re.search(_TAIL, plain(kept))
    return (kept[: filed.start()] if filed else kept).strip()


def note_number(text: str) -> int | None:
    """Find the one number of a note that a text names."""
    found = {_whole(match) for match in _NUMBER.finditer(plain(text))}
    return found.pop() if len(found) == 1 else None


def reminder(text: str, spans: Iterable[Span]) -> str:
    """Find the words to repeat: all but the time (`spans`) and the request itself."""
    cut = {place for start, end in spans for place in range(start, end)}
    text = "".join(" " if place in cut else letter for place, letter in enumerate(text))
    text = re.sub(" +", " ", text).strip()
    text = text[_after(plain(text), rf"(?:{_POLITE})*") :]
    if asked := re.search(_REMIND, plain(text)):
        before, after = text[: asked.start()].rstrip(), text[asked.end() :].lstrip()
        text = f"{before} {after}" if before else after
    text = text[_after(plain(text), _LINK) :]
    close = re.search(_CLOSE, plain(text[-40:]))
    return text[: -len(close[0])] if close else text


def zone(text: str, places: Mapping[str, str]) -> str | None:
    """Find the time zone of the place that a text names; empty where it names none.

    None where there is no one zone for it.
    """
    if written := _ZONE.search(text):
        return written[0]
    folded = plain(text)
    for name in sorted(places, key=len, reverse=True):
        if re.search(rf"\b{name}\b", folded) if name.isascii() else name in folded:
            return places[name] if places[name] != "-" else None
    abroad = _ABROAD.search(folded)
    named = (abroad[1] or abroad[2]) if abroad else ""
    return None if named and not _HERE.match(named) else ""


def _after(folded: str, pattern: str) -> int:
    found = re.match(pattern, folded)
    return found.end() if found else 0


def _whole(match: re.Match[str]) -> int:
    words = next(group for group in match.groups() if group)
    return _ORDINALS.index(words) + 1 if words in _ORDINALS else int(number(words))
