"""Which of a few requests a sentence is: a linear model over n-grams of letters, words and kinds.

A kind groups words of both languages (`phrases/words.tsv`), so that few phrases teach much; words
of no kind speak against every request. Pure and deterministic: tables come in as text, weights as
bytes, and `learn` makes these from phrases in whole numbers, the same on every machine.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from math import isqrt, sqrt
from zlib import crc32

NONE = "none"

_UNKNOWN = "unknown"
# A request says what it wants at its beginning: the rest of a long text is not looked at.
_READ_MOST = 300
_BUCKETS = 8192
_ROUNDS = 10
# One weight of the file is a sixteenth, a step in learning 1/256 by the phrase's length.
_STORED = 16
_UNIT = 256
# By how much a request must outweigh `none`.
_SURE = 0.15

_HAN = "\u3400-\u9fff"
_TRADITIONAL = (
    "現幾點時間請問記錄筆備刪條鬧鐘設個後過還碟儲憶體電腦負載運長這麼樣會說謝幫關於邊東倫約號見週剛讓該標給發聽讀寫從無來們嗎壓買賣紐國經書鐵車飛機極當鍵計劃與狀態資訊囉啟動處執軟誰應對歲總"
    "統課訂禮醫議報賬費錢麵飯兒媽話線網檔詢閱覽鄰陽雙裡內顯區辦題準確轉開門幣兩頭聖誕歡氣喚樂愛腸藥貓魚鳥黃綠紅銀鎖鑰樓園學習業師員務認識語譯試練簡單雜難歷斷續結義價貴連選遠進達適遲郵鄉鎮鏡"
    "際隨險雲響頁項順預領顏願類風養館馬驗驚髮鬆鮮麗齊龍墊壞壽夠奪婦孫寶實審將導層屬島帳帶庫廣張強彈徑復戰戲戶擇據損換擔數敵暫曉構槍權歐殺決沒漢滿測湯溫滅濟災爐爭爺獎獨瑪產畫療盤監眾碼種穩窮"
    "節範籃細終組絕緊織職聲聯腳臉舊葉著術衛裝補規視親覺觀診詞詩調談論證護變貨責貸質購賽趕趙跡輕較輛輸農遊滾醬釘針銷錯鍋闆陣陸陳離靜韓鬥"
)
_SIMPLE = (
    "现几点时间请问记录笔备删条闹钟设个后过还盘储忆体电脑负载运长这么样会说谢帮关于边东伦约号见周刚让该标给发听读写从无来们吗压买卖纽国经书铁车飞机极当键计划与状态资讯啰启动处执软谁应对岁总"
    "统课订礼医议报账费钱面饭儿妈话线网档询阅览邻阳双里内显区办题准确转开门币两头圣诞欢气唤乐爱肠药猫鱼鸟黄绿红银锁钥楼园学习业师员务认识语译试练简单杂难历断续结义价贵连选远进达适迟邮乡镇镜"
    "际随险云响页项顺预领颜愿类风养馆马验惊发松鲜丽齐龙垫坏寿够夺妇孙宝实审将导层属岛账带库广张强弹径复战戏户择据损换担数敌暂晓构枪权欧杀决没汉满测汤温灭济灾炉争爷奖独玛产画疗盘监众码种稳穷"
    "节范篮细终组绝紧织职声联脚脸旧叶着术卫装补规视亲觉观诊词诗调谈论证护变货责贷质购赛赶赵迹轻较辆输农游滚酱钉针销错锅板阵陆陈离静韩斗"
)
_CAPITALS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_WIDE = "".join(map(chr, range(0xFF01, 0xFF5F)))
_NARROW = "".join(map(chr, range(0x21, 0x7F)))
_PLAIN = str.maketrans(
    _TRADITIONAL + _CAPITALS + _WIDE, _SIMPLE + _CAPITALS.lower() + _NARROW.lower()
)


def plain(text: str) -> str:
    """Fold case, width and traditional characters; every character keeps its place."""
    return text.translate(_PLAIN)


class Words:
    """The words we know, each of a kind."""

    def __init__(self, table: str, places: Iterable[str]) -> None:
        """Read lines of a kind and its words; names of places are a kind of their own."""
        self._kinds = {"0": "number"} | dict.fromkeys(places, "place")
        for line in table.splitlines():
            kind, _, words = line.partition("\t")
            for word in words.split():
                self._kinds.setdefault(word, word if kind == "-" else kind)
        names = [name for name in self._kinds if " " in name]
        han = sorted((w for w in self._kinds if not w.isascii()), key=len, reverse=True)
        self._token = re.compile(
            rf"\b(?:{'|'.join(names)})\b|{'|'.join(han)}|[a-z]+|0|[{_HAN}]|[?:#]"
        )
        self._misspelt = {
            wrong: kind for word, kind in self._kinds.items() for wrong in _misspellings(word)
        }

    def tokens(self, text: str) -> list[tuple[str, str]]:
        """Cut a text into words, each with its kind."""
        folded = re.sub("['’`]", "", plain(text[:_READ_MOST]))
        folded = re.sub(r"\d+(?:[.,:]\d+)*", "0", folded)
        return [(word, self._kind(word)) for word in self._token.findall(folded)]

    def _kind(self, word: str) -> str:
        if word in "?:#":
            return word
        if found := self._kinds.get(word) or self._misspelt.get(word):
            return found
        return next((self._kinds[w] for w in _shortened(word) if w in self._kinds), _UNKNOWN)


class Intents:
    """Tells requests apart, by weights that were learned."""

    def __init__(self, words: Words, weights: bytes) -> None:
        """Read weights as `learn` made them."""
        names, _, body = weights.partition(b"\n")
        self._words = words
        self._names = names.decode().split()
        width, cells = len(self._names), memoryview(body).cast("b")
        self._weights = [list(cells[n : n + width]) for n in range(0, len(cells), width)]

    def find(self, text: str) -> str:
        """Name the request that a text is, `none` where it is no clear one."""
        buckets = _buckets(self._words, text)
        scores = dict(zip(self._names, _scores(self._weights, buckets), strict=True))
        least = scores.pop(NONE) + _SURE * _STORED * sqrt(len(buckets))
        best = max(scores, key=scores.__getitem__)
        return best if scores[best] >= least else NONE


def learn(words: Words, phrases: Sequence[tuple[str, str]]) -> bytes:
    """Make weights from pairs of intent and phrase: averaged perceptrons, one an intent."""
    names = sorted({intent for intent, _ in phrases})
    known = [(names.index(intent), _buckets(words, phrase)) for intent, phrase in phrases]
    now = [[0] * len(names) for _ in range(_BUCKETS)]
    late = [[0] * len(names) for _ in range(_BUCKETS)]
    rounds = range(len(known) * _ROUNDS)
    # Every round in another order, the same on every machine.
    order = sorted(rounds, key=lambda place: (place // len(known), crc32(b"%d" % place)))
    for seen, place in enumerate(order, 1):
        right, buckets = known[place % len(known)]
        step = isqrt(_UNIT * _UNIT // len(buckets))
        for name, score in enumerate(_scores(now, buckets)):
            side = step if name == right else -step
            if side * score < _UNIT * _UNIT:
                for bucket in buckets:
                    now[bucket][name] += side
                    late[bucket][name] += side * seen
    return " ".join(names).encode() + b"\n" + b"".join(_stored(now, late, len(order)))


def _stored(now: list[list[int]], late: list[list[int]], seen: int) -> Iterator[bytes]:
    for row, delays in zip(now, late, strict=True):
        for weight, delay in zip(row, delays, strict=True):
            mean = round((weight * seen - delay) * _STORED / (seen * _UNIT))
            yield max(-127, min(127, mean)).to_bytes(1, signed=True)


def _scores(weights: list[list[int]], buckets: list[int]) -> list[int]:
    return list(map(sum, zip(*(weights[bucket] for bucket in buckets), strict=True)))


def _buckets(words: Words, text: str) -> list[int]:
    features = _features(words.tokens(text))
    return sorted({crc32(feature.encode()) % _BUCKETS for feature in features})


def _features(tokens: list[tuple[str, str]]) -> Iterator[str]:
    words = ["^", *(word for word, _ in tokens), "$"]
    kinds = ["^", *(kind for _, kind in tokens), "$"]
    unknown = kinds.count(_UNKNOWN)
    yield from (f"u{n}" for n in (1, 2, 3, 4, 6) if unknown >= n)
    yield from (f"r{n}" for n in (1, 2, 3) if tokens and 5 * unknown >= n * len(tokens))
    yield from _grams("w", words, 1, 2)
    yield from _grams("k", kinds, 1, 3)
    yield from (f"s{first} {third}" for first, third in zip(kinds, kinds[2:], strict=False))
    yield from (f"p{one} {other}" for one, other in combinations(sorted(set(kinds[1:-1])), 2))
    for word in words:
        if word.isascii() and word.isalpha():
            yield from _grams("l", f"_{word}_", 3, 4)
    for run in "".join(" " if word.isascii() else word for word in words).split():
        yield from _grams("h", run, 1, 3)


def _grams(mark: str, items: Sequence[str], least: int, most: int) -> Iterator[str]:
    for size in range(least, most + 1):
        for start in range(len(items) - size + 1):
            yield mark + " ".join(items[start : start + size])


def _misspellings(word: str) -> Iterator[str]:
    """List what hasty fingers make of a word: a letter left out, two neighbours exchanged."""
    if word.isascii() and word.isalpha() and len(word) > 3:
        yield from (
            f"{word[:n]}{word[n + 1]}{word[n]}{word[n + 2 :]}" for n in range(len(word) - 1)
        )
        yield from _shortened(word)


def _shortened(word: str) -> Iterator[str]:
    if word.isascii() and len(word) > 4:
        yield from (word[:n] + word[n + 1 :] for n in range(len(word)))
