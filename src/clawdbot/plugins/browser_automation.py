"""`@browser_automation.task`: a function that drives a browser, which `get_webdriver()` gives."""

from clawdbot.plugins.recorded import Recorder

task = Recorder("browser")
