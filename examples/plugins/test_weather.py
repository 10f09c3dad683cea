import unittest

from weather import read, weather

from clawdbot.plugins import UnavailableError

ANSWER = {
    "current": {"temperature_2m": 3.5, "wind_speed_10m": 11},
    "current_units": {"temperature_2m": "°C", "wind_speed_10m": "km/h"},
}


class Test(unittest.TestCase):
    def test_an_answer_is_read(self):
        self.assertEqual({"temperature": "3.5 °C", "wind": "11 km/h"}, read(ANSWER))

    def test_without_a_network_it_says_so(self):
        with self.assertRaises(UnavailableError):
            weather(48.4, 10.0)


if __name__ == "__main__":
    unittest.main()
