"""What does not fit is told to a Chinese reader in Chinese, whatever msgspec can say of it."""

import re
from datetime import datetime
from enum import Enum
from typing import Annotated, Literal

import msgspec
import pytest
from msgspec import Meta

from clawdbot.gateway.misfit import told


class Colour(Enum):
    """What may be chosen."""

    RED = "red"


class Form(msgspec.Struct, forbid_unknown_fields=True):
    """What a form may send."""

    days: Annotated[int, Meta(ge=1, le=30)]
    name: Annotated[str, Meta(min_length=2, max_length=4, pattern="^[a-z]")] = "ab"
    share: Annotated[float, Meta(gt=0, lt=1)] = 0.5
    step: Annotated[int, Meta(multiple_of=5)] = 5
    names: Annotated[list[str], Meta(min_length=1, max_length=2)] = []
    pairs: Annotated[dict[str, int], Meta(max_length=1)] = {}
    colour: Colour = Colour.RED
    word: Literal["yes", "no"] = "yes"
    at: datetime | None = None


WRONG = (
    *('{"days": "x"}', '{"days": 0}', '{"days": 31}', "[]", "{}", '{"days": 1, "other": 2}'),
    *('{"days": 1, "name": "a"}', '{"days": 1, "name": "abcde"}', '{"days": 1, "name": "AB"}'),
    *('{"days": 1, "share": 0}', '{"days": 1, "share": 2}', '{"days": 1, "step": 4}'),
    *('{"days": 1, "names": []}', '{"days": 1, "names": ["a", "b", "c"]}'),
    *('{"days": 1, "pairs": {"a": 1, "b": 2}}', '{"days": 1, "names": [1]}'),
    *('{"days": 1, "colour": "blue"}', '{"days": 1, "word": "perhaps"}', '{"days": 1, "at": "x"}'),
    *('{"days": 1', '{"days": }', '{"days": 99999999999999999999999}', '{"days": 1e999}'),
)


@pytest.mark.parametrize("text", WRONG)
def test_it_is_told_in_the_readers_language(text: str) -> None:
    with pytest.raises(msgspec.DecodeError) as caught:
        msgspec.json.decode(text, type=Form)
    english = str(caught.value)
    assert english == told("en", english)
    chinese = told("zh", english)
    # What a program wrote stays as it is: types, names, values, the place.
    words = re.sub(r"`[^`]*`|'[^']*'|（.*）|JSON|RFC3339", "", chinese)
    assert [] == re.findall(r"[A-Za-z]{2,}", words), chinese
    assert re.search(r"[\u4e00-\u9fff]", chinese)


def test_the_place_is_told_and_what_is_no_misfit_stays() -> None:
    assert "应为 `int`，而不是 `str`（`$.days`）" == told(
        "zh", "Expected `int`, got `str` - at `$.days`"
    )
    assert "a sentence of ours - at home" == told("zh", "a sentence of ours - at home")
