import unittest

from disk import disk_usage


class Test(unittest.TestCase):
    def test_the_parts_make_the_whole(self):
        usage = disk_usage({})
        self.assertGreaterEqual(usage.total, usage.used + usage.free - usage.total // 5)


if __name__ == "__main__":
    unittest.main()
