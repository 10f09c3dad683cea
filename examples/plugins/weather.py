"""The weather from an open service: one granted host, a schedule on offer."""

import json
from typing import Annotated
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

from clawdbot.plugins import UnavailableError, system_command

HOST = "api.open-meteo.com"


@system_command.register(hosts=[HOST], timeout=20, every="0 7 * * *")
def weather(
    latitude: Annotated[float, "Degrees north"], longitude: Annotated[float, "Degrees east"]
):
    """Tell temperature and wind at a place, now."""
    query = {
        "latitude": latitude,
        "longitude": longitude,
        "current": "temperature_2m,wind_speed_10m",
    }
    try:
        with urlopen(f"https://{HOST}/v1/forecast?{urlencode(query)}", timeout=15) as answer:
            return read(json.load(answer))
    except (URLError, OSError) as error:
        raise UnavailableError(f"The weather service does not answer: {error}") from error


def read(answer):
    """Take what is told of an answer."""
    now, units = answer["current"], answer["current_units"]
    names = {"temperature": "temperature_2m", "wind": "wind_speed_10m"}
    return {name: f"{now[key]} {units[key]}" for name, key in names.items()}
