"""The digests by which a backup's posts are compared."""

from django.test import SimpleTestCase

from posts.digests import digest


class Digests(SimpleTestCase):
    def test_it_is_half_of_the_sha256_of_the_values_as_json(self) -> None:
        # printf '["ann", "202611"]' | sha256sum
        self.assertEqual(digest(["ann", 202611]), "ca5452548b98cf2fc265163e5f3db22b")

    def test_nothing_is_not_a_text(self) -> None:
        self.assertNotEqual(digest([None]), digest(["None"]))

    def test_values_do_not_run_into_each_other(self) -> None:
        self.assertNotEqual(digest(["a", "b"]), digest(["ab", ""]))
        self.assertNotEqual(digest(['a", "b']), digest(["a", "b"]))
