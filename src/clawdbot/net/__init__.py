"""The one door to the network: connections, requests, time-outs; knows nobody who uses it."""
